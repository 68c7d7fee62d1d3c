//! A report says `repeated` if, and only if, another executor had begun the call.

use std::collections::{BTreeMap, BTreeSet};

use super::{Figures, none_of};
use crate::{
    Tested,
    journal::Executor,
    run::Evidence,
    spent::{Spent, fingerprint},
    work::{Effect, partition_of},
};

pub(super) fn check(
    evidence: &Evidence,
    spent: &Spent,
    effects: &BTreeMap<String, Effect>,
    figures: &mut Figures,
) -> Tested {
    let mut begun: BTreeMap<&str, (u64, BTreeSet<Executor>)> = BTreeMap::new();
    for attempt in &evidence.attempts {
        let request = fingerprint(partition_of(&attempt.name), &attempt.id);
        begun.entry(&attempt.name).or_insert_with(|| (request, BTreeSet::new())).1.insert(attempt.executor);
    }
    let mut problems = Vec::new();
    for (name, effect) in effects {
        let report = &effect.report;
        let Some((request, executors)) = begun.get(&**name) else { continue };
        // The ledger tells reservations. It cannot know whether an attempt began before its process was killed.
        let reserved = spent.reserved.get(request).is_some_and(|by| by.iter().any(|it| !executors.contains(it)));
        figures.repeated += usize::from(report.repeated);
        match report.repeated {
            true if executors.len() > 1 => {}
            true if reserved => figures.repeated_unbegun += 1,
            false if executors.len() < 2 || report.attempts == 0 => {}
            told => problems.push(format!(
                "{name}: repeated is {told} after {} attempts; the executors that began it are {executors:?}",
                report.attempts
            )),
        }
    }
    none_of("`repeated` is wrong", &problems)
}
