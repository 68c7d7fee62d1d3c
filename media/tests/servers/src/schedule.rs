//! How a stream goes on, and what goes wrong with it.

use std::ops::Range;

/// How time passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// This many times as fast as real time.
    Scaled(f64),
    /// Only when told: [`crate::HlsServer::advance`].
    ByHand,
}

/// The captions of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captions {
    /// There are none.
    Off,
    /// A cue for each line; each segment repeats the cues that overlap it.
    Cues,
    /// The same, but what is longer than a segment is cut where the segment ends.
    Cut,
    /// Two lines stand on the screen: each cue repeats the line before.
    RollUp,
}

/// How a stream goes on.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The event time of the first segment, in milliseconds since 1970.
    pub start_ms: i64,
    /// How time passes.
    pub pace: Pace,
    /// How many segments there are when the server starts.
    pub ready: u64,
    /// How many segments the playlist lists; the newest ones. An ended stream lists all of them.
    pub window: u64,
    /// After how many segments the stream ends.
    pub ends_after: Option<u64>,
    /// Whether the playlist tells event times.
    pub dated: bool,
    /// Whether the playlist of the captions tells them, too.
    pub captions_dated: bool,
    /// The captions beside the media.
    pub captions: Captions,
    /// What the page about the stream calls it.
    pub title: String,
    /// What goes wrong.
    pub faults: Faults,
}

/// What goes wrong. The seed decides which segments are struck.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Decides which segments are struck.
    pub seed: u64,
    /// The share of segments whose first request is answered with status 503.
    pub busy: f64,
    /// The share of segments whose first request breaks off in the middle.
    pub cut: f64,
    /// The share of segments whose first request is answered slowly: half of it, then nothing for `slow_ms`.
    pub slow: f64,
    /// How slowly, in milliseconds.
    pub slow_ms: u64,
    /// Segments that always answer with status 500.
    pub lost: Vec<u64>,
    /// From the first to before the last of these segments, the playlist does not change.
    pub stalls: Vec<Range<u64>>,
    /// Before which segments the stream paused, and for how many milliseconds.
    pub pauses: Vec<(u64, i64)>,
    /// From this segment on the server answers all requests with status 403, as when an address expires.
    pub expires_at: Option<u64>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            start_ms: 1_700_000_000_000,
            pace: Pace::Scaled(1.0),
            ready: 3,
            window: 6,
            ends_after: None,
            dated: true,
            captions_dated: true,
            captions: Captions::Cues,
            title: "The final match".to_owned(),
            faults: Faults::default(),
        }
    }
}

/// How the first request of a segment is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    Busy,
    Cut,
    Slow,
}

impl Faults {
    /// What strikes a segment.
    pub(crate) fn strike(&self, segment: u64) -> Option<Strike> {
        // SplitMix64 of seed and number: a share from 0, below 1.
        let mut z = self.seed.wrapping_mul(0x0100_0000_01b3).wrapping_add(segment).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        match share {
            share if share < self.busy => Some(Strike::Busy),
            share if share < self.busy + self.cut => Some(Strike::Cut),
            share if share < self.busy + self.cut + self.slow => Some(Strike::Slow),
            _ => None,
        }
    }

    /// How many segments a playlist shows of `made`, which is fewer while it stalls.
    pub(crate) fn shown(&self, made: u64) -> u64 {
        self.stalls.iter().find(|stall| stall.contains(&made)).map_or(made, |stall| stall.start)
    }

    /// How long the stream has paused before a segment, in all.
    pub(crate) fn paused_ms(&self, segment: u64) -> i64 {
        self.pauses.iter().filter(|(before, _)| *before <= segment).map(|(_, ms)| ms).sum()
    }
}
