//! How long results stay.

use std::{fmt, str::FromStr, time::Duration};

use tidemill_schemas::Insight;

use crate::setting::duration;

/// How long the results of a stream stay after their window ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// As long as the topic keeps them.
    Forever,
    /// So long, counted from the end of a window. Never zero.
    For(Duration),
}

impl Default for Retention {
    /// Seven days, as long as the topics keep results by default.
    fn default() -> Self {
        Self::For(Duration::from_hours(7 * 24))
    }
}

impl Retention {
    /// Until when a result stays, in epoch milliseconds; `None` if for ever.
    pub fn until_ms(self, window_end_ms: i64) -> Option<i64> {
        match self {
            Self::Forever => None,
            Self::For(time) => Some(window_end_ms.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))),
        }
    }

    /// Whether a result is still there at a time.
    pub fn keeps(self, window_end_ms: i64, now_ms: i64) -> bool {
        self.until_ms(window_end_ms).is_none_or(|until| now_ms < until)
    }

    /// Those insights that are still there at a time.
    pub fn kept<'a>(
        self,
        insights: impl IntoIterator<Item = &'a Insight>,
        now_ms: i64,
    ) -> impl Iterator<Item = &'a Insight> {
        insights.into_iter().filter(move |insight| self.keeps(insight.window_end_ms, now_ms))
    }

    /// What a topic has to keep, so that no result is gone before its time; `None` if for ever.
    pub fn of_topic(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::For(time) => Some(time),
        }
    }
}

impl FromStr for Retention {
    type Err = String;

    /// `forever`, or a duration such as `90d` or `12h`. The error continues after the setting's name.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "forever" {
            return Ok(Self::Forever);
        }
        let time = duration(text).map_err(|error| format!("{error}; or write forever"))?;
        if time.is_zero() {
            return Err("must be longer than nothing, such as 7d, or forever".to_owned());
        }
        Ok(Self::For(time))
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::For(time) = self else { return f.write_str("forever") };
        let millis = time.as_millis();
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        match units.into_iter().find(|(_, unit)| millis.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", millis / unit),
            None => write!(f, "{millis}ms"),
        }
    }
}
