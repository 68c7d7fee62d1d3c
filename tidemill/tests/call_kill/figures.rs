//! What a run showed, for people.

use crate::{Tested, checks::Figures, run::Evidence};

pub(crate) fn print(log: &str, evidence: &Evidence, figures: &Figures) {
    let run = &evidence.run;
    let share = |part: f64, whole: f64| 100.0 * part / whole.max(1.0);
    let twice = &figures.twice;
    println!("\n{log}: {} processes, {} killed with SIGKILL", run.past.len(), figures.kills);
    println!(
        "requests: {}, each with one effect, in order; {} failed, {} answered by the second route",
        figures.effects, figures.failures, figures.fallbacks
    );
    println!("answers in the response topic: {}", evidence.answers.len());
    println!(
        "calls: {}, billed: {}, tokens billed: {}, micros billed: {}",
        figures.calls,
        figures.billed_calls,
        figures.billed.tokens(),
        figures.billed.cost_micros
    );
    println!("most calls at once: {} of {}", figures.most_at_once, run.plan.in_flight);
    println!(
        "paid twice because of a kill: {} calls ({:.2} % of billed calls, {:.2} a kill), {} tokens ({:.2} %)",
        twice.killed,
        share(twice.killed as f64, figures.billed_calls as f64),
        twice.killed as f64 / figures.kills.max(1) as f64,
        twice.killed_usage.tokens(),
        share(twice.killed_usage.tokens() as f64, figures.billed.tokens() as f64),
    );
    println!("paid twice because the partition moved: {} calls, {} tokens", twice.moved, twice.moved_usage.tokens());
    println!(
        "paid twice because an executor reopened: {} calls, {} tokens; executors reopened: {}",
        twice.reopened,
        twice.reopened_usage.tokens(),
        figures.reopened
    );
    println!("paid again after a failed attempt: {}; a second question: {}", twice.retried, twice.repaired);
    println!(
        "ledger: {} attempts settled with {} tokens; of these {} told an estimate of {} tokens for {} billed",
        figures.settled,
        figures.settled_usage.tokens(),
        figures.estimated,
        figures.estimated_usage.tokens(),
        figures.estimated_billed.tokens()
    );
    println!(
        "ledger: {} attempts unknown with at most {} tokens; {} of them were billed, {} tokens",
        figures.unknown,
        figures.unknown_most.tokens(),
        figures.unknown_billed,
        figures.unknown_billed_usage.tokens()
    );
    println!(
        "budget: {} tokens an hour; the fullest of {} hours has {}",
        run.plan.tokens_per_hour, figures.hours, figures.hour_tokens
    );
    println!(
        "reports that say `repeated`: {}, {} of them for an attempt that was reserved and did not begin",
        figures.repeated, figures.repeated_unbegun
    );
}

/// The run has hit what it is about.
pub(crate) fn enough(figures: &Figures) -> Tested {
    let hit = [
        ("no process was killed while it had calls", figures.unknown > 0),
        ("the budget was not reached", figures.fallbacks > 0),
        ("no call was repeated", figures.repeated > 0),
    ];
    match hit.iter().find(|(_, hit)| !hit) {
        Some((missing, _)) => Err((*missing).into()),
        None => Ok(()),
    }
}
