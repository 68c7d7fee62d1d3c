//! Opens the audio of streams, or the captions that they carry.

use tidemill_chat::{BoxFuture, Url};
use tidemill_media::{AudioOptions, AudioState, CaptionsWanted, Given, Listener, MediaError};

use crate::sources::Media;

/// Opens the audio behind addresses, or the captions that the streams there carry.
pub trait Hearing: Send + Sync {
    /// Opens the audio behind an address. What it starts ends when the sound is dropped.
    fn open(&self, url: &Url, opening: Opening) -> Box<dyn Sound>;
}

/// Where audio begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The event time of now.
    pub now_ms: i64,
    /// The event time of the first sample of a recording that does not tell its times.
    pub origin_ms: i64,
    /// Audio up to this event time is not wanted again.
    pub after_ms: Option<i64>,
    /// Whether captions are wanted in the place of audio.
    pub captions: CaptionsWanted,
    /// What waiting times are drawn from.
    pub seed: u64,
}

/// The audio or the captions of a stream. Dropping it stops all that it started.
pub trait Sound: Send {
    /// Waits for the next block or caption. Cancel safe.
    fn next(&mut self) -> BoxFuture<'_, Result<Given, MediaError>>;

    /// What it does right now.
    fn state(&self) -> AudioState;
}

impl Sound for Listener {
    fn next(&mut self) -> BoxFuture<'_, Result<Given, MediaError>> {
        Box::pin(self.next())
    }

    fn state(&self) -> AudioState {
        self.state()
    }
}

/// What is said in real streams, by yt-dlp and FFmpeg.
pub(super) struct Live {
    pub(super) media: Media,
    /// The language that is spoken.
    pub(super) language: String,
}

impl Hearing for Live {
    fn open(&self, url: &Url, opening: Opening) -> Box<dyn Sound> {
        let Opening { now_ms, origin_ms, after_ms, captions, seed } = opening;
        let options = AudioOptions {
            origin_ms: Some(origin_ms),
            resume_after_ms: after_ms,
            captions,
            language: Some(self.language.clone()),
            seed,
            reach: self.media.reach,
            ..AudioOptions::new(now_ms)
        };
        Box::new(Listener::new(self.media.resolver.clone(), url.clone(), options))
    }
}
