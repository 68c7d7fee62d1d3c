//! The outcomes of the last attempts while a breaker is closed.

use std::collections::VecDeque;

use super::BreakerPolicy;

#[derive(Debug, Default)]
pub(super) struct Recent {
    failed_in_a_row: u32,
    /// Whether each of the last attempts failed, the oldest first.
    outcomes: VecDeque<bool>,
    failed: u64,
}

impl Recent {
    pub(super) fn succeeded(&mut self, policy: &BreakerPolicy) {
        self.failed_in_a_row = 0;
        self.note(policy, false);
    }

    /// Returns whether this failure is one too many.
    pub(super) fn failed(&mut self, policy: &BreakerPolicy) -> bool {
        self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
        self.note(policy, true);
        let in_a_row = policy.failures > 0 && self.failed_in_a_row >= policy.failures;
        // A minimum that is larger than the window would never be reached.
        let enough = policy.window > 0 && self.outcomes.len() >= policy.minimum.min(policy.window) as usize;
        in_a_row || enough && self.failed * 100 >= u64::from(policy.failed_percent) * self.outcomes.len() as u64
    }

    fn note(&mut self, policy: &BreakerPolicy, failed: bool) {
        self.outcomes.push_back(failed);
        self.failed += u64::from(failed);
        while self.outcomes.len() > policy.window as usize {
            self.failed -= u64::from(self.outcomes.pop_front() == Some(true));
        }
    }
}
