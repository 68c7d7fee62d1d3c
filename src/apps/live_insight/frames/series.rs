//! The chat and the mood of several windows over time.

use std::collections::BTreeMap;

use tidemill_schemas::{Insight, SeriesPoint, TrendPoint};

use super::people::{hundredths, mean};

/// The length of an interval of a short window.
const STEP_MS: i64 = 5_000;
/// The maximum number of intervals.
const POINTS: i64 = 120;
/// A frame of several windows has at most this many windows in its history: the newest.
const HISTORY: usize = 120;

/// The intervals and the history of some windows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Course {
    points: BTreeMap<i64, SeriesPoint>,
    /// Windows by start, each with the window that tells of it.
    history: BTreeMap<i64, (i64, TrendPoint)>,
}

impl Course {
    pub(super) fn of(insight: &Insight) -> Self {
        let at = insight.window_start_ms;
        Self {
            points: insight.series.iter().map(|point| (point.at, *point)).collect(),
            history: insight.trend.history.iter().map(|point| (point.start_ms, (at, *point))).collect(),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.points.extend(&other.points);
        for (start, theirs) in &other.history {
            let own = self.history.entry(*start).or_insert(*theirs);
            if theirs.0 > own.0 {
                *own = *theirs;
            }
        }
    }

    /// The intervals of a frame, from its start to its end. Each has the messages of the windows' intervals that begin
    /// in it.
    pub(super) fn series(&self, start_ms: i64, end_ms: i64) -> Vec<SeriesPoint> {
        if self.points.is_empty() {
            return Vec::new();
        }
        let length_ms = (end_ms - start_ms).max(1);
        let step_ms = STEP_MS * (length_ms as u64).div_ceil((STEP_MS * POINTS) as u64) as i64;
        let mut series: Vec<(SeriesPoint, i64)> = Vec::new();
        let mut at = start_ms;
        while at < end_ms {
            series.push((SeriesPoint { at, chats: 0, mood: 0.0 }, 0));
            at = at.saturating_add(step_ms);
        }
        for point in self.points.values() {
            let place = usize::try_from((point.at - start_ms) / step_ms).ok();
            if let Some((sum, mood)) = place.and_then(|place| series.get_mut(place)) {
                sum.chats += point.chats;
                *mood += hundredths(point.mood) * point.chats as i64;
            }
        }
        series.into_iter().map(|(point, mood)| SeriesPoint { mood: mean(mood, point.chats), ..point }).collect()
    }

    pub(super) fn history(&self) -> Vec<TrendPoint> {
        let left_out = self.history.len().saturating_sub(HISTORY);
        self.history.values().skip(left_out).map(|(_, point)| *point).collect()
    }
}
