//! The ledger, the journals and the server's bill tell the same.

use std::collections::BTreeSet;

use tidemill::Usage;

use super::{Figures, none_of, settle};
use crate::{
    Tested,
    journal::{Attempt, Executor},
    run::{Ending, Evidence},
    spent::Spent,
    work::ROUTES,
};

pub(super) fn check(evidence: &Evidence, spent: &Spent, figures: &mut Figures) -> Tested {
    let mut problems = Vec::new();
    for (name, (_, ending)) in &evidence.executors {
        let attempts: Vec<_> = evidence.attempts.iter().filter(|attempt| attempt.executor == *name).collect();
        figures.reopened += usize::from(*ending == Ending::Reopened);
        if let Err(problem) = executor(*name, *ending, &attempts, spent, figures) {
            problems.push(problem);
        }
    }
    let strange = spent.entries.keys().filter(|owner| !evidence.executors.contains_key(&owner.executor));
    problems.extend(strange.map(|owner| format!("{owner:?} never was")));
    budget(evidence, spent, figures, &mut problems);
    none_of("the money is wrong", &problems)
}

/// What an executor settled is exactly what it told, and that is what was billed. The rest is open, and unknown.
fn executor(
    number: Executor,
    ending: Ending,
    attempts: &[&Attempt],
    spent: &Spent,
    figures: &mut Figures,
) -> Result<(), String> {
    let ledger = spent.sum(|owner| owner.executor == number);
    if ending == Ending::Closed && !ledger.open.is_empty() {
        return Err(format!("executor {number:?} was closed and left {} reservations", ledger.open.len()));
    }
    let Some(open) = settle::open(attempts, &ledger) else {
        let told: Usage = attempts.iter().filter_map(|attempt| attempt.told()).sum();
        return Err(format!(
            "executor {number:?}: the ledger has {} calls with {:?} and {} open; {} attempts told {told:?}, {} did not tell",
            ledger.calls,
            ledger.used,
            ledger.open.len(),
            attempts.len(),
            attempts.iter().filter(|attempt| attempt.told().is_none()).count(),
        ));
    };
    figures.settled += ledger.calls;
    figures.settled_usage += ledger.used;
    figures.unknown += ledger.open.len();
    figures.unknown_most += ledger.open.iter().map(|(_, most)| *most).sum();
    for (at, attempt) in attempts.iter().enumerate() {
        let billed = attempt.billed();
        if billed.tokens() > attempt.most.tokens() {
            return Err(format!("{}: {billed:?} was billed, and {:?} was the most", attempt.name, attempt.most));
        }
        if open.contains(&at) {
            figures.unknown_billed += usize::from(attempt.is_billed());
            figures.unknown_billed_usage += billed;
            continue;
        }
        for ask in &attempt.asks {
            let (Some(told), billed) = (&ask.told, ask.billed.unwrap_or_default()) else { continue };
            if told.estimated {
                figures.estimated += 1;
                figures.estimated_usage += told.used;
                figures.estimated_billed += billed;
            } else if told.used != billed {
                return Err(format!("{}: told {:?}, billed {billed:?}", attempt.name, told.used));
            }
        }
    }
    Ok(())
}

/// No hour's sum exceeds the budget, and the bill does not exceed what the ledger has.
fn budget(evidence: &Evidence, spent: &Spent, figures: &mut Figures, problems: &mut Vec<String>) {
    let route = ROUTES[0];
    let hours: BTreeSet<i64> = spent.entries.keys().map(|owner| owner.hour).collect();
    for hour in &hours {
        let sum = spent.sum(|owner| owner.hour == *hour && owner.route == route);
        figures.hour_tokens = figures.hour_tokens.max(sum.most().tokens());
    }
    figures.hours = hours.len();
    let budget = evidence.run.plan.tokens_per_hour;
    if figures.hour_tokens > budget {
        problems.push(format!("{} tokens in an hour, and {budget} are allowed", figures.hour_tokens));
    }
    for route in ROUTES {
        let most = spent.sum(|owner| owner.route == route).most();
        let billed = evidence.run.models.bill().by_model.get(route).copied().unwrap_or_default();
        if billed.input_tokens + billed.output_tokens > most.tokens() {
            problems.push(format!("{route}: {billed:?} was billed, and the ledger has at most {most:?}"));
        }
    }
}
