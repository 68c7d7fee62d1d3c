//! From the address that a streamer gives to the address of the media.

mod direct;
mod info;
mod refusals;
mod resolver;

use std::fmt;

use url::Url;

pub use direct::direct;
pub use resolver::{Resolver, ResolverOptions};

use crate::shown::host;

/// How media is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A playlist over HTTP.
    Hls,
    /// Whatever FFmpeg reads by itself: a file, DASH, RTMP.
    Direct,
}

/// What media is resolved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// To hear it: audio alone where the platform has that, else the smallest picture.
    Audio,
    /// To cut clips: picture and sound, at most 1080 lines.
    Video,
}

/// Media that can be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What the platform calls the stream.
    pub title: Option<String>,
    /// Where the media is. It may carry a signature: it belongs into no log, and it expires after hours.
    pub media: Url,
    /// Where its sound is, when `media` has only the picture.
    pub sound: Option<Url>,
    /// The playlist that lists `media` among all variants and captions, where the platform tells.
    pub listed_in: Option<Url>,
    /// How it is read.
    pub kind: Kind,
    /// Whether the stream is live.
    pub is_live: bool,
    /// When the stream began, in milliseconds since 1970, where the platform tells.
    pub started_ms: Option<i64>,
}

impl Resolved {
    /// Media at this address, of which nothing else is known.
    pub fn new(media: Url, kind: Kind, is_live: bool) -> Self {
        Self { title: None, media, sound: None, listed_in: None, kind, is_live, started_ms: None }
    }
}

/// The signature of the address stays out.
impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("title", &self.title)
            .field("media", &host(&self.media))
            .field("sound", &self.sound.as_ref().map(host))
            .field("listed_in", &self.listed_in.as_ref().map(host))
            .field("kind", &self.kind)
            .field("is_live", &self.is_live)
            .field("started_ms", &self.started_ms)
            .finish()
    }
}
