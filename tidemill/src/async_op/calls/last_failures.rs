//! The last calls that ended without an answer.

use std::collections::{HashMap, VecDeque};

use crate::async_op::{CallFailure, FailedCall, FailureKind};

/// How many are kept.
const KEPT: usize = 20;
/// Each kind is logged once in this time, however many calls fail: an outage must not fill the log.
const QUIET_MS: i64 = 10_000;

/// The last failures of calls, and what the log tells of them.
#[derive(Debug, Default)]
pub(super) struct LastFailures {
    /// The newest one first.
    kept: VecDeque<FailedCall>,
    logged: HashMap<FailureKind, Logged>,
}

/// When a kind was logged, and how many failures of this kind were not logged since.
#[derive(Debug, Default)]
struct Logged {
    at_ms: i64,
    left_out: u64,
}

impl LastFailures {
    pub(super) fn note(&mut self, at_ms: i64, route: &str, failure: &CallFailure) {
        self.kept.truncate(KEPT - 1);
        let CallFailure { kind, message, attempts } = failure.clone();
        self.kept.push_front(FailedCall { at_ms, kind: kind.to_string(), message, attempts, route: route.to_owned() });
    }

    /// Whether a failure is to be logged. If so: how many of its kind were left out before it.
    pub(super) fn is_logged(&mut self, at_ms: i64, kind: FailureKind) -> Option<u64> {
        match self.logged.get_mut(&kind) {
            Some(logged) if at_ms - logged.at_ms < QUIET_MS => {
                logged.left_out += 1;
                None
            }
            logged => {
                let left_out = logged.map_or(0, |logged| logged.left_out);
                self.logged.insert(kind, Logged { at_ms, left_out: 0 });
                Some(left_out)
            }
        }
    }

    pub(super) fn all(&self) -> Vec<FailedCall> {
        self.kept.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_logged_once_in_ten_seconds_with_the_number_left_out() {
        let mut failures = LastFailures::default();
        assert_eq!(failures.is_logged(5, FailureKind::Timeout), Some(0));
        assert_eq!(failures.is_logged(6, FailureKind::Timeout), None);
        assert_eq!(failures.is_logged(7, FailureKind::Expired), Some(0), "kinds are told apart");
        assert_eq!(failures.is_logged(10_004, FailureKind::Timeout), None);
        assert_eq!(failures.is_logged(10_005, FailureKind::Timeout), Some(2));
    }
}
