//! How long a service wants to be left alone.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// No pause is longer than a day.
const LONGEST: f64 = 86_400.0;

/// A number of seconds, if it is a sensible pause.
pub(in crate::llm) fn in_seconds(seconds: f64) -> Option<Duration> {
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST)))
}

/// The pause in the headers of a response: `retry-after-ms`, or `Retry-After` with seconds or a date.
pub(in crate::llm) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(pause) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return in_seconds(pause / 1_000.0);
    }
    let text = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = text.parse::<f64>() {
        return in_seconds(seconds);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    in_seconds(date.duration_since(now).unwrap_or_default().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn pause(name: &'static str, value: &'static str) -> Option<Duration> {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let headers = [(HeaderName::from_static(name), HeaderValue::from_static(value))];
        retry_after(&headers.into_iter().collect(), now)
    }

    #[test]
    fn a_pause_comes_in_seconds_in_milliseconds_or_as_a_date() {
        assert_eq!(pause("retry-after", " 7 "), Some(Duration::from_secs(7)));
        assert_eq!(pause("retry-after", "1.5"), Some(Duration::from_millis(1_500)));
        assert_eq!(pause("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(pause("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_pause_in_the_past_is_none_and_nonsense_is_ignored() {
        assert_eq!(pause("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(pause("retry-after", "soon"), None);
        assert_eq!(pause("retry-after", "-3"), None);
        assert_eq!(pause("retry-after", "NaN"), None);
        assert_eq!(pause("retry-after", "99999999"), Some(Duration::from_secs(86_400)));
    }
}
