//! The last calls that ended without an answer.

use std::collections::VecDeque;

use crate::async_op::{CallFailure, FailedCall};

/// How many are kept.
const KEPT: usize = 20;

/// The last failures of calls, the newest one first.
#[derive(Debug, Default)]
pub(super) struct LastFailures(VecDeque<FailedCall>);

impl LastFailures {
    pub(super) fn note(&mut self, at_ms: i64, route: &str, failure: &CallFailure) {
        self.0.truncate(KEPT - 1);
        let CallFailure { kind, message, attempts } = failure.clone();
        self.0.push_front(FailedCall { at_ms, kind: kind.to_string(), message, attempts, route: route.to_owned() });
    }

    pub(super) fn all(&self) -> Vec<FailedCall> {
        self.0.iter().cloned().collect()
    }
}
