//! The outcomes of the last attempts while a breaker is closed.
//!
//! A service that is well refuses a request faster than it answers one. So of a thousand attempts that began together,
//! the failures are told first: five in a row, or half of the first twenty, say nothing about the route while hundreds
//! still run. Therefore a sample is never smaller than the number of attempts that run.

use std::collections::VecDeque;

use super::BreakerPolicy;

#[derive(Debug, Default)]
pub(super) struct Recent {
    failed_in_a_row: usize,
    /// Whether each of the last attempts failed, the oldest first.
    outcomes: VecDeque<bool>,
    failed: usize,
}

impl Recent {
    /// Notes an answer while `running` other attempts have no outcome yet.
    pub(super) fn succeeded(&mut self, policy: &BreakerPolicy, running: usize) {
        self.failed_in_a_row = 0;
        self.note(policy, false, running);
    }

    /// Notes a failure while `running` other attempts have no outcome yet. Returns whether this failure is one too many.
    pub(super) fn failed(&mut self, policy: &BreakerPolicy, running: usize) -> bool {
        self.failed_in_a_row += 1;
        self.note(policy, true, running);
        let in_a_row = policy.failures > 0 && self.failed_in_a_row >= running.max(policy.failures as usize);
        // A minimum that is larger than the window would never be reached.
        let minimum = policy.minimum.min(policy.window) as usize;
        let enough = policy.window > 0 && self.outcomes.len() >= minimum.max(running);
        in_a_row || enough && self.failed * 100 >= policy.failed_percent as usize * self.outcomes.len()
    }

    fn note(&mut self, policy: &BreakerPolicy, failed: bool, running: usize) {
        self.outcomes.push_back(failed);
        self.failed += usize::from(failed);
        let kept = if policy.window > 0 { running.max(policy.window as usize) } else { 0 };
        while self.outcomes.len() > kept {
            self.failed -= usize::from(self.outcomes.pop_front() == Some(true));
        }
    }
}
