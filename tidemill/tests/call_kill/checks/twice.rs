//! Why requests were paid twice.

use std::collections::BTreeMap;

use tidemill::Usage;

use super::{Figures, none_of};
use crate::{
    Tested,
    journal::Attempt,
    run::{Ending, Evidence},
    work::partition_of,
};

/// The clock is read in several processes.
const SLACK_MS: i64 = 5;

/// Billed attempts of requests that were billed again later, by the reason.
#[derive(Debug, Default)]
pub(crate) struct Twice {
    /// The executor was killed while the attempt ran, or before its answer was in the log.
    pub(crate) killed: usize,
    pub(crate) killed_usage: Usage,
    /// The request's partition went to another executor while the attempt ran.
    pub(crate) moved: usize,
    pub(crate) moved_usage: Usage,
    /// The log failed the executor, or its group gave it up, while the attempt ran.
    pub(crate) reopened: usize,
    pub(crate) reopened_usage: Usage,
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
                    "{} was asked by executor {:?} at {} ms, and its answer was seen in the log at {} ms; its calls: {}",
                    attempt.name,
                    attempt.executor,
                    ask.at_ms,
                    answered_ms.unwrap_or_default(),
                    attempts.iter().map(|attempt| story(attempt, evidence)).collect::<Vec<_>>().join("; ")
                ));
            }
        }
        let billed: Vec<_> = attempts.iter().filter(|attempt| attempt.is_billed()).collect();
        for (attempt, next) in billed.iter().zip(billed.iter().skip(1)) {
            // The same executor goes on after a failure only.
            let own = attempts.iter().any(|it| it.executor == attempt.executor && it.at_ms > attempt.at_ms);
            let (ended_ms, ending) = evidence.executors[&attempt.executor];
            let after = next.at_ms >= ended_ms - SLACK_MS;
            match ending {
                _ if own => twice.retried += 1,
                Ending::Killed if after => {
                    twice.killed += 1;
                    twice.killed_usage += attempt.billed();
                }
                Ending::Reopened if after || next.executor.0 == attempt.executor.0 => {
                    twice.reopened += 1;
                    twice.reopened_usage += attempt.billed();
                }
                _ if next.executor != attempt.executor => {
                    twice.moved += 1;
                    twice.moved_usage += attempt.billed();
                }
                _ => problems.push(format!("{} was paid twice by {:?}", attempt.name, attempt.executor)),
            }
        }
    }
    none_of("calls were made that nobody needed", &problems)
}

/// What an attempt's executor did, and how it ended.
fn story(attempt: &Attempt, evidence: &Evidence) -> String {
    let told: Vec<_> = attempt.asks.iter().map(|ask| (ask.at_ms, ask.told.as_ref().map(|told| told.at_ms))).collect();
    let (ended_ms, ending) = evidence.executors[&attempt.executor];
    format!("{:?} asked and was told at {told:?} and ended at {ended_ms} ms ({ending:?})", attempt.executor)
}
