//! Whether any model would take a dead letter's call now.

use tidemill::{BreakerState, CallSnapshot, Clock as _, RouteSnapshot, SystemClock};

use crate::server::problem::Problem;

const DAY_S: u64 = 24 * 60 * 60;

/// Refuses while every route of an application's calls is closed: its breaker lets no attempt through. A call that is
/// asked then would only fail again, and its one try would be used up.
pub(super) fn check(calls: &CallSnapshot) -> Result<(), Problem> {
    let Some(left_ms) = closed_for_ms(&calls.routes, SystemClock.monotonic_ms()) else { return Ok(()) };
    let names: Vec<_> = calls.routes.iter().map(|route| route.name.as_str()).collect();
    let (seconds, until_ms) = (left_ms.div_ceil(1_000), SystemClock.now_ms().max(0).unsigned_abs() + left_ms);
    let error = format!(
        "no model takes calls until {}, in {seconds} s: too many calls to {} failed",
        clock(until_ms),
        names.join(" and ")
    );
    Err(Problem::unavailable(
        error,
        "ask again then; nothing was asked now, so no dead letter has lost its try",
        seconds,
    ))
}

/// How long it is until the first route takes calls again; `None` if one does, or if this instance does not know.
fn closed_for_ms(routes: &[RouteSnapshot], now_ms: i64) -> Option<u64> {
    let left = |route: &RouteSnapshot| match route.breaker {
        Some(BreakerState::Open { until_ms }) => u64::try_from(until_ms - now_ms).ok().filter(|left_ms| *left_ms > 0),
        Some(BreakerState::Closed | BreakerState::HalfOpen) | None => None,
    };
    routes.iter().map(left).collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// The time of the day, such as `17:05:09 UTC`.
fn clock(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000) % DAY_S;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(breaker: Option<BreakerState>) -> RouteSnapshot {
        RouteSnapshot {
            name: "model".to_owned(),
            breaker,
            opened: 1,
            in_flight: 0,
            latency_ms: None,
            last_answer_ago_ms: None,
            succeeded: 0,
        }
    }

    #[test]
    fn calls_are_refused_until_the_first_route_is_tried_again() {
        let open = |until_ms| route(Some(BreakerState::Open { until_ms }));
        assert_eq!(closed_for_ms(&[open(9_000), open(7_000)], 5_000), Some(2_000));
        assert_eq!(closed_for_ms(&[open(9_000), open(7_000)], 7_000), None);
        assert_eq!(closed_for_ms(&[open(9_000), route(Some(BreakerState::HalfOpen))], 5_000), None);
        assert_eq!(closed_for_ms(&[open(9_000), route(None)], 5_000), None);
        assert_eq!(closed_for_ms(&[], 5_000), None, "another instance may know");
    }

    #[test]
    fn a_moment_is_told_as_the_time_of_its_day() {
        assert_eq!(clock(86_400_000 * 20_000 + 61_508_001), "17:05:09 UTC");
        assert_eq!(clock(0), "00:00:00 UTC");
    }
}
