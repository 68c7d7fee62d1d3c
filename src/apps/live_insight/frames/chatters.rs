//! How many different authors wrote in several windows.

use tidemill_schemas::{Chatters, Insight};

/// The authors of some windows together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Authors {
    sample: Chatters,
    /// The most authors of one window.
    least: u64,
    /// The sum of the windows' authors.
    most: u64,
    /// Whether a window has no sample: an insight of an earlier version.
    unknown: bool,
}

/// How many authors there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) users: u64,
    pub(super) least: u64,
    pub(super) most: u64,
}

impl Authors {
    pub(super) fn of(insight: &Insight) -> Self {
        let (least, most) = (insight.users, insight.users);
        let sample = insight.remainder.as_ref().map(|remainder| remainder.chatters.clone());
        Self { unknown: sample.is_none() && insight.users > 0, sample: sample.unwrap_or_default(), least, most }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sample = union(&self.sample, &other.sample);
        self.least = self.least.max(other.least);
        self.most += other.most;
        self.unknown |= other.unknown;
    }

    /// The number of authors, with a range that is right in 19 of 20 cases; of equal numbers if it is exact.
    pub(super) fn count(&self) -> Counted {
        let share = self.sample.below as f64 / Chatters::ALL as f64;
        let found = self.sample.hashes.len() as f64;
        let error = 2.0 * (found * (1.0 - share)).sqrt();
        let number = |found: f64| ((found.max(0.0) / share).round() as u64).clamp(self.least, self.most);
        let least = number(found - error);
        let most = if self.unknown { self.most } else { number(found + error) };
        Counted { users: number(found), least, most }
    }
}

/// The authors of either sample.
pub(in crate::apps::live_insight) fn union(a: &Chatters, b: &Chatters) -> Chatters {
    let below = a.below.min(b.below);
    let mut hashes: Vec<u32> =
        a.hashes.iter().chain(&b.hashes).copied().filter(|hash| u64::from(*hash) < below).collect();
    hashes.sort_unstable();
    hashes.dedup();
    Chatters { below, hashes }
}
