//! The audio of a stream as PCM with event times.
//!
//! Of an HLS stream we read the playlist and the segments ourselves, and pipe them into FFmpeg: so each segment is read
//! once, each sample has the time of its segment, and a segment that is lost leaves a gap in the times. All else (files,
//! DASH, RTMP, encrypted HLS) FFmpeg reads by itself.

mod decoder;
mod direct;
mod listener;
mod live;
mod options;

use std::fmt;

use tokio::sync::watch;

pub use listener::{Given, Listener};
pub use options::AudioOptions;

use crate::error::MediaError;
use crate::feed::Feed;
use crate::process::Program;
use crate::resolve::{Kind, Resolved};
use decoder::Sink;

/// Samples per second of all PCM.
pub const SAMPLE_RATE: u32 = 16_000;

/// A block of audio: 16 kHz, mono.
#[derive(Clone, PartialEq, Eq)]
pub struct Pcm {
    /// The samples.
    pub samples: Vec<i16>,
    /// When the first one was: event time of the stream.
    pub start_ms: i64,
}

impl Pcm {
    /// When the last sample ends.
    pub fn end_ms(&self) -> i64 {
        self.start_ms + (self.samples.len() as i64 * 1000) / i64::from(SAMPLE_RATE)
    }
}

/// Audio must not reach a log.
impl fmt::Debug for Pcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pcm({} samples at {})", self.samples.len(), self.start_ms)
    }
}

/// What the audio does right now, or the captions in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioState {
    /// It looks for the stream.
    Connecting,
    /// It reads.
    Reading,
    /// It reads the captions of the stream, and no audio.
    Captions,
    /// It waits after trouble.
    Waiting {
        /// What happened.
        reason: String,
    },
    /// There is no more.
    Ended,
}

/// The audio of a stream. It reads ahead only a little (see [`AudioOptions::blocks_ahead`]): while the caller takes
/// nothing, nothing is read. Dropping it stops all that it started.
#[derive(Debug)]
pub struct Audio {
    blocks: Feed<Pcm>,
    position_ms: Option<i64>,
}

impl Audio {
    /// Begins to read. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`MediaError::Missing`] where FFmpeg is not installed.
    pub fn open(resolved: &Resolved, options: AudioOptions) -> Result<Self, MediaError> {
        let ffmpeg = match &options.ffmpeg {
            Some(program) => program.clone(),
            None => Program::find("ffmpeg")?,
        };
        let resolved = resolved.clone();
        let position_ms = options.resume_after_ms;
        let blocks = Feed::spawn(options.blocks_ahead, async move |sender, told| {
            let sink = Sink::new(sender, &options);
            match resolved.kind {
                Kind::Hls => live::read(&ffmpeg, &resolved, &options, sink, &told).await,
                Kind::Direct => {
                    direct::read(&ffmpeg, &resolved.media, resolved.is_live, options.start_ms, &options, sink, &told)
                        .await
                }
            }
        });
        Ok(Self { blocks, position_ms })
    }

    /// Waits for the next block. Cancel safe. Trouble that passes is handled here; [`Audio::state`] tells of it.
    ///
    /// # Errors
    /// [`MediaError::Ended`] at the end; [`MediaError::Expired`] where the address must be resolved again: then open the
    /// audio anew with [`AudioOptions::resume_after_ms`] from [`Audio::position_ms`]. An error is returned on every
    /// further call.
    pub async fn next(&mut self) -> Result<Pcm, MediaError> {
        let pcm = self.blocks.next().await?;
        self.position_ms = Some(pcm.end_ms());
        Ok(pcm)
    }

    /// Where the last block ended: event time of the stream. Audio up to here was given.
    pub fn position_ms(&self) -> Option<i64> {
        self.position_ms
    }

    /// What it does right now.
    pub fn state(&self) -> AudioState {
        self.blocks.state()
    }

    /// Tells each change of its state.
    pub fn states(&self) -> watch::Receiver<AudioState> {
        self.blocks.states()
    }
}
