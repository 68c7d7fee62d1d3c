//! Times in whatever unit a platform writes them.

use serde_json::Value;

/// Epoch milliseconds from a number in seconds, milliseconds, microseconds or nanoseconds, or from a text with such a
/// number or with a date of ISO 8601. The unit of a number follows from its size: today is 1.7e9 in seconds, 1.7e12 in
/// milliseconds, 1.7e15 in microseconds.
///
/// ```
/// use serde_json::json;
/// use tidemill_chat::field::parse_moment;
///
/// assert_eq!(parse_moment(&json!("2026-01-01T01:00:00.5+01:00")), Some(1_767_225_600_500));
/// assert_eq!(parse_moment(&json!(1_767_225_600_500_000_i64)), Some(1_767_225_600_500));
/// assert_eq!(parse_moment(&json!("yesterday")), None);
/// ```
pub fn parse_moment(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => from_unit(whole),
            // Seconds with a fraction, as Python's `time.time()` gives them.
            None => {
                number.as_f64().filter(|seconds| (1e8..1e11).contains(seconds)).map(|seconds| (seconds * 1e3) as i64)
            }
        },
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().and_then(from_unit).or_else(|| {
                let seconds = text.parse::<f64>().ok().filter(|seconds| (1e8..1e11).contains(seconds));
                seconds.map(|seconds| (seconds * 1e3) as i64).or_else(|| parse_iso(text))
            })
        }
        _ => None,
    }
}

fn from_unit(number: i64) -> Option<i64> {
    match number {
        100_000_000..100_000_000_000 => Some(number * 1_000),
        100_000_000_000..100_000_000_000_000 => Some(number),
        100_000_000_000_000..100_000_000_000_000_000 => Some(number / 1_000),
        100_000_000_000_000_000.. => Some(number / 1_000_000),
        _ => None,
    }
}

/// A date and time of ISO 8601, such as `2026-01-01T00:00:00.123456Z`. Without an offset, it is UTC.
fn parse_iso(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (time, offset_minutes) = split_offset(time)?;
    let mut time = time.splitn(3, ':');
    let (hour, minute): (i64, i64) = (time.next()?.parse().ok()?, time.next()?.parse().ok()?);
    let (second, fraction) =
        time.next().map_or(("0", "0"), |second| second.split_once(['.', ',']).unwrap_or((second, "0")));
    let second: i64 = second.parse().ok()?;
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    fits.then_some((minutes * 60 + second) * 1_000 + millis)
}

/// Splits `12:00:00+01:30` into the time and 90.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (time, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..4).map_or(Some(0), |minutes| minutes.parse().ok())?;
    Some((time, sign * (hours * 60 + minutes)))
}

/// Days since 1970 of a date of the Gregorian calendar. The year begins in March, so that a leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dates_of_platforms_are_read() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29T12:00:00Z", 1_709_208_000_000),
            ("2026-01-01T00:00:00.123456Z", 1_767_225_600_123),
            ("2026-01-01T00:00:00.1+00:00", 1_767_225_600_100),
            ("2025-12-31 23:00:00.000-0100", 1_767_225_600_000),
            ("2023-07-19T14:56:51.634234626Z", 1_689_778_611_634),
            ("2026-01-01T00:00", 1_767_225_600_000),
        ] {
            assert_eq!(parse_moment(&json!(text)), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for value in
            [json!(null), json!(12), json!(-5), json!(""), json!("2026-13-01T00:00:00Z"), json!("T"), json!("1:2")]
        {
            assert_eq!(parse_moment(&value), None, "{value}");
        }
        assert_eq!(parse_moment(&json!("2026-01-01T00:00:0é")), None);
    }

    #[test]
    fn each_unit_of_a_number_is_recognised() {
        for value in
            [json!(1_767_225_600), json!("1767225600000"), json!(1_767_225_600_000_000_i64), json!(1_767_225_600.0)]
        {
            assert_eq!(parse_moment(&value), Some(1_767_225_600_000), "{value}");
        }
    }
}
