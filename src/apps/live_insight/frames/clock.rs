//! The windows of a frame: how many there are, from when to when, and which are missing.

use std::collections::BTreeMap;

use tidemill_schemas::Insight;

use super::view::Gap;

/// The windows by start, each with its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Clock(BTreeMap<i64, i64>);

impl Clock {
    pub(super) fn of(insight: &Insight) -> Self {
        Self(BTreeMap::from([(insight.window_start_ms, insight.window_end_ms)]))
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    pub(super) fn windows(&self) -> usize {
        self.0.len()
    }

    pub(super) fn start_ms(&self) -> i64 {
        self.0.keys().next().copied().unwrap_or_default()
    }

    pub(super) fn end_ms(&self) -> i64 {
        self.0.values().copied().max().unwrap_or_default()
    }

    /// The length of all windows together.
    pub(super) fn covered_ms(&self) -> i64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// The times between windows for which there is no window.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut until = self.start_ms();
        for (start, end) in &self.0 {
            if *start > until {
                gaps.push(Gap { from_ms: until, to_ms: *start });
            }
            until = until.max(*end);
        }
        gaps
    }
}
