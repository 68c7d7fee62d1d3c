//! Footage as FFmpeg reads it: runs of media without a gap, each with its event time.

use std::path::PathBuf;

use url::Url;

/// What a clip is cut from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Material {
    /// The picture, with its sound unless that is apart.
    pub(super) runs: Vec<Run>,
    /// The sound where it is apart.
    pub(super) sound: Option<Vec<Run>>,
}

/// Media without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) input: Input,
    /// Which part of it belongs to the clip.
    pub(super) skip_ms: i64,
    pub(super) take_ms: i64,
    /// The event time of that part.
    pub(super) start_ms: i64,
}

/// Where a run is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// A file of segments that we fetched.
    Fetched(PathBuf),
    /// An address that FFmpeg reads by itself.
    Address(Url),
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fetched(path) => write!(f, "{}", path.display()),
            Self::Address(url) => write!(f, "{}", crate::shown::host(url)),
        }
    }
}

impl Material {
    /// How long the clip becomes.
    pub(super) fn length_ms(&self) -> i64 {
        self.runs.iter().map(|run| run.take_ms).sum()
    }

    /// The event time of the first picture.
    pub(super) fn start_ms(&self) -> i64 {
        self.runs.first().map_or(0, |run| run.start_ms)
    }

    /// Where in the clip an event time is. What lies in a gap is where the next run begins; what is before or after is
    /// below 0 or beyond the length.
    pub(super) fn place(&self, ms: i64) -> i64 {
        let mut before = 0;
        for (index, run) in self.runs.iter().enumerate() {
            let inside = ms - run.start_ms;
            if inside < 0 && index > 0 {
                return before;
            }
            if inside < run.take_ms || index + 1 == self.runs.len() {
                return before + inside;
            }
            before += run.take_ms;
        }
        ms
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, Material, Run};

    #[test]
    fn a_gap_in_the_stream_is_no_time_of_the_clip() {
        let run = |start_ms, take_ms| Run { input: Input::Fetched("a".into()), skip_ms: 0, take_ms, start_ms };
        let material = Material { runs: vec![run(10_000, 3000), run(60_000, 5000)], sound: None };
        let places: Vec<_> = [9000, 10_000, 12_999, 30_000, 60_000, 64_000, 66_000].map(|ms| material.place(ms)).into();
        assert_eq!(places, [-1000, 0, 2999, 3000, 3000, 7000, 9000]);
        assert_eq!(material.length_ms(), 8000);
    }
}
