//! What must hold after a run, whatever was killed when.

mod effects;
mod fresh;
mod money;
mod repeated;
mod settle;
mod twice;

use tidemill::Usage;

pub(crate) use self::twice::Twice;
use crate::{Tested, run::Evidence, spent::Spent};

/// What a run showed.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) kills: usize,
    /// Executors that went on as another member after an error of the log.
    pub(crate) reopened: usize,
    pub(crate) effects: usize,
    pub(crate) failures: usize,
    pub(crate) fallbacks: usize,
    pub(crate) calls: u64,
    pub(crate) billed_calls: u64,
    pub(crate) billed: Usage,
    pub(crate) most_at_once: usize,
    pub(crate) twice: Twice,
    pub(crate) settled: u64,
    pub(crate) settled_usage: Usage,
    /// Reservations of killed members, the most that they may have cost, and what of them was billed.
    pub(crate) unknown: usize,
    pub(crate) unknown_most: Usage,
    pub(crate) unknown_billed: usize,
    pub(crate) unknown_billed_usage: Usage,
    /// Attempts whose caller could only estimate what they used: estimated, and billed.
    pub(crate) estimated: usize,
    pub(crate) estimated_usage: Usage,
    pub(crate) estimated_billed: Usage,
    /// The largest sum of tokens in an hour that the ledger has for the route with a budget.
    pub(crate) hour_tokens: u64,
    pub(crate) hours: usize,
    pub(crate) repeated: usize,
    /// Reports that say `repeated` because of a reservation whose attempt never began.
    pub(crate) repeated_unbegun: usize,
}

pub(crate) fn all(evidence: &Evidence) -> Tested<Figures> {
    let run = &evidence.run;
    let bill = run.models.bill();
    let mut figures = Figures {
        kills: run.past.iter().filter(|past| past.killed).count(),
        calls: bill.calls,
        billed_calls: bill.billed_calls,
        billed: Usage {
            input_tokens: bill.input_tokens,
            output_tokens: bill.output_tokens,
            cost_micros: bill.cost_micros,
        },
        most_at_once: run.models.most_at_once(),
        ..Figures::default()
    };
    if !evidence.unknown.is_empty() {
        return Err(format!("the server has calls that nobody made: {:?}", evidence.unknown.first()).into());
    }
    let spent = Spent::read(&evidence.ledger)?;
    let effects = effects::check(evidence, &mut figures)?;
    money::check(evidence, &spent, &mut figures)?;
    twice::check(evidence, &mut figures)?;
    repeated::check(evidence, &spent, &effects, &mut figures)?;
    fresh::check(evidence, &spent)?;
    let limit = run.plan.in_flight as usize;
    if figures.most_at_once > limit {
        return Err(format!("{} calls ran at once, and {limit} are allowed", figures.most_at_once).into());
    }
    Ok(figures)
}

/// The first few of a list of problems, as an error.
pub(crate) fn none_of(what: &str, problems: &[String]) -> Tested {
    if problems.is_empty() {
        return Ok(());
    }
    let some: Vec<_> = problems.iter().take(5).map(String::as_str).collect();
    Err(format!("{what} ({} of them):\n  {}", problems.len(), some.join("\n  ")).into())
}
