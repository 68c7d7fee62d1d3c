//! Which part of a stream is shown.

use std::str::FromStr;

use tidemill_schemas::Insight;

/// A part of a stream. A window belongs to it if the two overlap, because a window cannot be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The last milliseconds before the end of the newest window.
    Last(i64),
    /// The whole stream.
    Whole,
    /// From a time until before another, in epoch milliseconds.
    Between(i64, i64),
}

/// A text that names no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time frame. Write 5m, 15m, 60m, 2h or all, or FROM..TO in epoch milliseconds")]
pub struct RangeError(String);

impl Range {
    /// The windows of the range, in order. Of several results of a window, the last one counts: results are published
    /// again when something is withdrawn.
    pub fn of<'a>(self, insights: impl IntoIterator<Item = &'a Insight>) -> Vec<&'a Insight> {
        let all: std::collections::BTreeMap<i64, &Insight> =
            insights.into_iter().map(|insight| (insight.window_start_ms, insight)).collect();
        let newest = all.values().map(|insight| insight.window_end_ms).max().unwrap_or_default();
        let (from, to) = match self {
            Self::Last(ms) => (newest.saturating_sub(ms.max(1)), i64::MAX),
            Self::Whole => (i64::MIN, i64::MAX),
            Self::Between(from, to) => (from, to),
        };
        all.into_values().filter(|insight| insight.window_start_ms < to && insight.window_end_ms > from).collect()
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let wrong = || RangeError(text.chars().take(40).collect());
        if text == "all" {
            return Ok(Self::Whole);
        }
        if let Some((from, to)) = text.split_once("..") {
            let (from, to): (i64, i64) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
            return if from < to { Ok(Self::Between(from, to)) } else { Err(wrong()) };
        }
        let (number, unit_ms) = [("m", 60_000_i64), ("h", 3_600_000), ("s", 1_000)]
            .into_iter()
            .find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, ms)))
            .ok_or_else(wrong)?;
        let number: i64 =
            number.bytes().all(|c| c.is_ascii_digit()).then(|| number.parse().ok()).flatten().ok_or_else(wrong)?;
        number.checked_mul(unit_ms).filter(|ms| *ms > 0).map(Self::Last).ok_or_else(wrong)
    }
}
