//! Requests that end a transaction and arrive again, after the producer got its answer.

use super::faults::Process;
use crate::clock::Clock as _;

/// The longest time that a repeated request is on its way, in milliseconds.
const LATEST_MS: u64 = 400;

/// The late requests of one transactional id.
#[derive(Default)]
pub(super) struct LateEnds {
    on_the_way: Vec<LateEnd>,
    /// Whether the producer knows that it repeated some of them.
    pub(super) noticed: bool,
}

struct LateEnd {
    commits: bool,
    at_ms: i64,
}

impl LateEnds {
    /// Sends a request that ends a transaction. It may be repeated and arrive once or twice more, in any order with
    /// other requests.
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

    /// Takes the requests that arrive up to this time, in order. `true` stands for a commit, `false` for an abort.
    pub(super) fn arrive(&mut self, until_ms: i64) -> Vec<bool> {
        let mut arrived: Vec<_> = self.on_the_way.extract_if(.., |end| end.at_ms <= until_ms).collect();
        arrived.sort_by_key(|end| end.at_ms);
        arrived.into_iter().map(|end| end.commits).collect()
    }
}

/// The effect of a request, as text.
pub(super) fn verb(commits: bool) -> &'static str {
    if commits { "commits" } else { "aborts" }
}
