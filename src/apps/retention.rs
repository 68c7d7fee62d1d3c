//! How long results stay.

use std::{fmt, str::FromStr, time::Duration};

use crate::{clock::millis, setting::duration};

/// How long the results of an owner stay after their window ended.
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
            Self::For(time) => Some(window_end_ms.saturating_add(millis(time))),
        }
    }

    /// Whether a result is still there at a time.
    pub fn keeps(self, window_end_ms: i64, now_ms: i64) -> bool {
        self.until_ms(window_end_ms).is_none_or(|until| now_ms < until)
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

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn results_stay_until_their_time() {
        let week: Retention = "7d".parse().expect("valid");
        assert_eq!((week, week.of_topic()), (Retention::default(), Some(Duration::from_hours(7 * 24))));
        assert!(week.keeps(5, 5 + 7 * DAY_MS - 1) && !week.keeps(5, 5 + 7 * DAY_MS));
        assert!(Retention::Forever.keeps(i64::MIN, i64::MAX));
        assert_eq!(Retention::Forever.of_topic(), None);
        for text in ["forever", "90d", "12h", "1500ms"] {
            assert_eq!(text.parse::<Retention>().expect(text).to_string(), text);
        }
        for wrong in ["0s", "", "soon", "-1d"] {
            assert!(wrong.parse::<Retention>().expect_err(wrong).starts_with("must be"), "{wrong}");
        }
    }
}
