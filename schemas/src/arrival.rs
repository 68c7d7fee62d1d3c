//! The check of an event's time against the clock of the receiver.

use crate::common::FieldError;

/// How far an event may be ahead of the receiver's clock by default, in milliseconds: two minutes.
pub const AHEAD_MAX_MS: i64 = 2 * 60 * 1000;

/// The first number that is no time in nanoseconds of this century.
const NANOSECONDS_END: i64 = 4_102_444_800_000_000_000;

/// When an event arrives, and how far the event's own time may be from that.
///
/// ```
/// use tidemill_schemas::{Arrival, parse_chat};
///
/// let chat = br#"{"stream_id": "ada", "user_id": "u", "text": "hi", "timestamp": 1767225780000}"#;
/// let arrival = Arrival::at(1_767_225_600_000);
/// let errors = parse_chat(chat, arrival).unwrap_err();
/// assert_eq!(errors[0].to_string(), "timestamp lies 3 minutes ahead of this server's clock: set the sender's clock");
/// assert!(parse_chat(chat, Arrival { ahead_max_ms: 240_000, ..arrival }).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The receiver's clock in epoch milliseconds.
    pub now_ms: i64,
    /// How far an event may be ahead of that clock, in milliseconds.
    pub ahead_max_ms: i64,
    /// How long events are kept, in milliseconds. An older event is refused, because it would be deleted at once.
    pub kept_ms: i64,
}

impl Arrival {
    /// An arrival at this time, with the default tolerance. Events of any age are taken.
    pub const fn at(now_ms: i64) -> Self {
        Self { now_ms, ahead_max_ms: AHEAD_MAX_MS, kept_ms: i64::MAX }
    }

    /// Checks that event time is epoch milliseconds and near the receiver's clock. For other common units, the error
    /// says how to convert them.
    ///
    /// The bounds follow from the units: today is 1.7e9 in seconds, 1.7e12 in milliseconds, 1.7e15 in microseconds.
    pub(crate) fn check(self, errors: &mut Vec<FieldError>, timestamp: i64) {
        let Self { now_ms, ahead_max_ms, kept_ms } = self;
        let mut refuse = |problem: String, fix: &str| errors.push(FieldError::new("timestamp", problem, fix));
        match timestamp {
            i64::MIN..0 => refuse(format!("is negative ({timestamp})"), "send epoch milliseconds"),
            0..100_000_000 => {
                refuse(format!("is {timestamp}, which is no date"), "send epoch milliseconds, such as Date.now()");
            }
            100_000_000..100_000_000_000 => refuse(format!("looks like seconds ({timestamp})"), "multiply by 1000"),
            100_000_000_000_000..100_000_000_000_000_000 => {
                refuse(format!("looks like microseconds ({timestamp})"), "divide by 1000");
            }
            100_000_000_000_000_000..NANOSECONDS_END => {
                refuse(format!("looks like nanoseconds ({timestamp})"), "divide by 1000000");
            }
            NANOSECONDS_END.. => {
                refuse(format!("is {timestamp}, which is no date"), "send epoch milliseconds, such as Date.now()");
            }
            _ if timestamp > now_ms.saturating_add(ahead_max_ms) => {
                let ahead = span(timestamp - now_ms);
                refuse(format!("lies {ahead} ahead of this server's clock"), "set the sender's clock");
            }
            _ if timestamp < now_ms.saturating_sub(kept_ms) => {
                let (age, kept) = (span(now_ms - timestamp), span(kept_ms));
                refuse(
                    format!("lies {age} back, and events are kept for {kept}"),
                    "send events while they are new, or raise data.raw_retention",
                );
            }
            _ => {}
        }
    }
}

impl From<i64> for Arrival {
    fn from(now_ms: i64) -> Self {
        Self::at(now_ms)
    }
}

/// A span of time in the largest unit that it has two of. Below ten minutes, seconds are told, because limits are that
/// small: "2 minutes" would say nothing about an event that is a second beyond a limit of two minutes.
fn span(ms: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (31_557_600_000, "years"),
        (86_400_000, "days"),
        (3_600_000, "hours"),
        (60_000, "minutes"),
        (1_000, "seconds"),
    ];
    let (minute, ten_minutes) = (60_000, 600_000);
    match UNITS.into_iter().find(|(unit_ms, _)| ms >= 2 * unit_ms) {
        None => format!("{ms} ms"),
        Some(_) if ms < ten_minutes && (ms < 2 * minute || ms % minute != 0) => {
            let part = ms % 1_000;
            let part = if part == 0 { String::new() } else { format!(".{part:03}").trim_end_matches('0').to_owned() };
            format!("{}{part} seconds", ms / 1_000)
        }
        Some((unit_ms, name)) => format!("{} {name}", ms / unit_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_a_unit_that_it_has_two_of() {
        let spans = [1_999, 2_000, 119_999, 120_000, 7_199_999, 172_800_000, 63_115_200_000].map(span);
        assert_eq!(spans, ["1999 ms", "2 seconds", "119.999 seconds", "2 minutes", "119 minutes", "2 days", "2 years"]);
    }

    #[test]
    fn a_span_just_beyond_a_limit_is_told_from_the_limit() {
        let spans = [120_001, 120_500, 121_000, 180_000, 599_000, 601_000].map(span);
        let told = ["120.001 seconds", "120.5 seconds", "121 seconds", "3 minutes", "599 seconds", "10 minutes"];
        assert_eq!(spans, told);
    }

    #[test]
    fn a_number_beyond_every_date_is_no_time_in_nanoseconds() {
        let told = |timestamp| {
            let mut errors = Vec::new();
            Arrival::at(1_767_225_600_000).check(&mut errors, timestamp);
            errors.pop().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(told(1_767_225_600_000_000_000).contains("divide by 1000000"));
        for beyond in [NANOSECONDS_END, i64::MAX - 1, i64::MAX] {
            assert!(told(beyond).contains("which is no date"), "{}", told(beyond));
        }
        assert!(told(i64::MIN).contains("is negative"));
    }
}
