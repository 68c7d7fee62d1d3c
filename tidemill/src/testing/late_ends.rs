//! Requests that end a transaction and come again, after their producer was answered.

use super::faults::Process;
use crate::clock::Clock as _;

/// The longest time that a request is on its way.
const LATEST_MS: u64 = 400;

/// What one transactional id has on the way.
#[derive(Default)]
pub(super) struct LateEnds {
    on_the_way: Vec<LateEnd>,
    /// Its producer knows that it sent some of them again.
    pub(super) noticed: bool,
}

struct LateEnd {
    commits: bool,
    at_ms: i64,
}

impl LateEnds {
    /// An end was asked for, and perhaps sent again: it comes once or twice more, in any order with others.
    pub(super) fn sent(&mut self, process: &Process, commits: bool) {
        let fate = &process.fate;
        if !fate.strikes(|rates| rates.late_end) {
            return;
        }
        process.note(&format!("sends the end of a transaction again, which {}", verb(commits)));
        for _ in 0..=fate.below(2) {
            let at_ms = fate.clock.monotonic_ms() + fate.below(LATEST_MS) as i64;
            self.on_the_way.push(LateEnd { commits, at_ms });
        }
        self.noticed |= !fate.strikes(|rates| rates.unnoticed_end);
    }

    /// Those that arrive until a time, in their order: whether each commits.
    pub(super) fn arrive(&mut self, until_ms: i64) -> Vec<bool> {
        let mut arrived: Vec<_> = self.on_the_way.extract_if(.., |end| end.at_ms <= until_ms).collect();
        arrived.sort_by_key(|end| end.at_ms);
        arrived.into_iter().map(|end| end.commits).collect()
    }
}

/// What an end does.
pub(super) fn verb(commits: bool) -> &'static str {
    if commits { "commits" } else { "aborts" }
}
