//! Why requests were paid twice.

use std::collections::BTreeMap;

use tidemill::Usage;

use super::{Figures, none_of};
use crate::{Tested, journal::Attempt, run::Evidence, work::partition_of};

/// Billed attempts of requests that were billed again later, by the reason.
#[derive(Debug, Default)]
pub(crate) struct Twice {
    /// The executor was killed while the attempt ran, or before its answer was in the log.
    pub(crate) killed: usize,
    pub(crate) killed_usage: Usage,
    /// The request's partition went to another executor while the attempt ran.
    pub(crate) moved: usize,
    pub(crate) moved_usage: Usage,
    /// The attempt had failed, or had taken too long.
    pub(crate) retried: usize,
    /// A second question within an attempt, because the first answer did not fit.
    pub(crate) repaired: usize,
}

pub(super) fn check(evidence: &Evidence, figures: &mut Figures) -> Tested {
    let mut requests: BTreeMap<(i32, &[u8]), Vec<&Attempt>> = BTreeMap::new();
    for attempt in &evidence.attempts {
        requests.entry((partition_of(&attempt.name), &attempt.id)).or_default().push(attempt);
    }
    let past: BTreeMap<u32, _> = evidence.run.past.iter().map(|past| (past.number, past)).collect();
    let mut problems = Vec::new();
    let twice = &mut figures.twice;
    for ((partition, id), mut attempts) in requests {
        attempts.sort_by_key(|attempt| attempt.at_ms);
        let answered_ms = evidence.run.answered_ms.get(&(partition, id.to_vec())).copied();
        for attempt in &attempts {
            let billed = attempt.asks.iter().filter(|ask| ask.billed.is_some()).count();
            twice.repaired += billed.saturating_sub(1);
            if let Some(ask) = attempt.asks.iter().find(|ask| answered_ms.is_some_and(|seen_ms| ask.at_ms > seen_ms)) {
                problems.push(format!(
                    "{} was asked by life {} {} ms after its answer was seen in the log",
                    attempt.name,
                    attempt.life,
                    ask.at_ms - answered_ms.unwrap_or_default()
                ));
            }
        }
        let billed: Vec<_> = attempts.iter().filter(|attempt| attempt.is_billed()).collect();
        for (attempt, next) in billed.iter().zip(billed.iter().skip(1)) {
            // The same life goes on after a failure only.
            let own = attempts.iter().any(|it| it.life == attempt.life && it.at_ms > attempt.at_ms);
            let owner = &past[&attempt.life];
            if own {
                twice.retried += 1;
            } else if owner.killed && next.at_ms >= owner.ended_ms - 5 {
                twice.killed += 1;
                twice.killed_usage += attempt.billed();
            } else if next.life != attempt.life {
                twice.moved += 1;
                twice.moved_usage += attempt.billed();
            } else {
                problems.push(format!("{} was paid twice by life {}", attempt.name, attempt.life));
            }
        }
    }
    none_of("calls were made that nobody needed", &problems)
}
