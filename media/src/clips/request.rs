//! What is asked for: a part of a stream as a file.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::MediaError;

/// The name of a clip: 1 to 64 letters a to z, digits, `-` and `_`. The caller chooses it: asking for the same name twice
/// makes one clip.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClipId(String);

impl ClipId {
    /// Checks a name.
    ///
    /// # Errors
    /// [`MediaError::Refused`] where it has other letters: the name becomes a file's.
    pub fn new(name: impl Into<String>) -> Result<Self, MediaError> {
        let name = name.into();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
            return Ok(Self(name));
        }
        Err(MediaError::refused("This is not a name for a clip.", "Use 1 to 64 letters a to z, digits, '-' and '_'."))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ClipId {
    type Error = MediaError;

    fn try_from(name: String) -> Result<Self, MediaError> {
        Self::new(name)
    }
}

impl From<ClipId> for String {
    fn from(id: ClipId) -> Self {
        id.0
    }
}

/// The shape of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// 16:9; pictures of another shape get bars.
    #[default]
    Landscape,
    /// 9:16, for phones: the middle of the picture.
    Portrait,
}

impl Shape {
    /// Width and height for a short side of `lines`.
    pub fn size(self, lines: u32) -> (u32, u32) {
        // Encoders want even numbers.
        let short = lines.clamp(120, 2160).next_multiple_of(2);
        let long = (short * 16 / 9).next_multiple_of(2);
        match self {
            Self::Landscape => (long, short),
            Self::Portrait => (short, long),
        }
    }
}

/// What was said: it is burnt into the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caption {
    /// The words.
    pub text: String,
    /// When they begin: event time of the stream.
    pub start_ms: i64,
    /// When they end.
    pub end_ms: i64,
}

/// Where pictures of the stream are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footage {
    /// A page of a platform, a playlist or a file. It is resolved when the clip is made, so it does not expire.
    pub address: Url,
    /// The event time of its first picture, where the platform or playlist does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<i64>,
}

/// Addresses may hold keys of streams.
impl fmt::Debug for Footage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Footage({} from {:?})", crate::shown::host(&self.address), self.start_ms)
    }
}

/// A part of a stream as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipRequest {
    /// What the clip is called; names files in an archive.
    pub title: String,
    /// Where the pictures are, the first choice first: for example the live stream, then its recording. The next one is
    /// taken where one does not have this part.
    pub footage: Vec<Footage>,
    /// When the moment begins: event time of the stream.
    pub start_ms: i64,
    /// When it ends.
    pub end_ms: i64,
    /// How much is shown before it, as far as it can be had.
    #[serde(default)]
    pub lead_in_ms: i64,
    /// The shape of the picture.
    #[serde(default)]
    pub shape: Shape,
    /// What is burnt in. Parts outside the clip do not matter.
    #[serde(default)]
    pub captions: Vec<Caption>,
    /// Whether what was said is asked for with [`ClipsOptions::captions`](crate::ClipsOptions::captions) and burnt in, too.
    #[serde(default)]
    pub captioned: bool,
    /// Whose clip it is, for the caller to find it again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
}

impl ClipRequest {
    /// When the clip begins, with its lead-in.
    pub fn from_ms(&self) -> i64 {
        self.start_ms.saturating_sub(self.lead_in_ms.max(0))
    }

    /// Checks it against the longest clip.
    pub(super) fn check(&self, longest_ms: i64) -> Result<(), MediaError> {
        if self.footage.is_empty() {
            return Err(MediaError::refused("The clip has no footage.", "Name the live stream or a recording."));
        }
        let length_ms = self.end_ms.saturating_sub(self.from_ms());
        if self.end_ms <= self.start_ms || length_ms < 500 {
            return Err(MediaError::refused("The clip is shorter than half a second.", "Let it end later."));
        }
        if length_ms > longest_ms {
            return Err(MediaError::refused(
                format!("The clip is longer than {} seconds.", longest_ms / 1000),
                "Let it begin later or end earlier.",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ClipId, Shape};

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for bad in ["", "../x", "a/b", "A", "a.mp4", &"a".repeat(65)] {
            assert!(ClipId::new(bad).is_err(), "{bad}");
        }
        assert!(ClipId::new("stream-7_00125").is_ok());
        assert!(serde_json::from_str::<ClipId>("\"../x\"").is_err());
    }

    #[test]
    fn sizes_are_even_and_of_the_shape() {
        assert_eq!(Shape::Landscape.size(720), (1280, 720));
        assert_eq!(Shape::Portrait.size(720), (720, 1280));
        assert_eq!(Shape::Portrait.size(361), (362, 644));
    }
}
