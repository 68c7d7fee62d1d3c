//! One of the two sides of a comparison: its answers, and what they add up to.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tidemill::{Usage, llm::AnswerDetails};

use super::run::Tried;
use crate::apps::{Question, RecordedCall, RecordedFailure};

/// Whether an answer fits its prompt's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The first answer fits.
    AtOnce,
    /// The second answer fits. The model was told what was wrong with the first one, or got more room.
    Repaired,
    /// No answer fits: the model's answers were wrong, cut, empty or blocked.
    Never,
    /// There is no answer: the service failed or refused, or the recorded call failed.
    Unanswered,
    /// No model was asked.
    Offline,
}

/// The answer of a side to a request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Whether it fits.
    pub fit: Fit,
    /// The fields that a model decides, or the failure's short name and message.
    pub outcome: Result<Value, (String, String)>,
    /// What it consumed.
    pub usage: Usage,
    /// How long it took. `None` if no model was asked.
    pub latency: Option<Duration>,
}

/// The failures of models. All others are failures of the service.
const WRONG: [&str; 6] = ["unfit", "cut", "empty", "blocked", "unusable", "tools"];

impl Answer {
    /// The answer of a model that was asked now.
    pub fn tried(tried: &Tried) -> Self {
        let fit = match &tried.outcome {
            Ok(_) if tried.details.repaired => Fit::Repaired,
            Ok(_) => Fit::AtOnce,
            Err((name, _)) if WRONG.contains(&name.as_str()) => Fit::Never,
            Err(_) => Fit::Unanswered,
        };
        Self { fit, outcome: tried.outcome.clone(), usage: tried.usage, latency: Some(tried.latency) }
    }

    /// The recorded answer.
    pub fn recorded(call: &RecordedCall, question: &dyn Question) -> Self {
        let (report, details) = (&call.report, AnswerDetails::parse(&call.report.details));
        let asked = details.filter(|details| !details.model.is_empty() && details.model != "offline");
        let (fit, outcome) = match (question.recorded(), asked.as_ref()) {
            (Some(fields), Some(details)) => (if details.repaired { Fit::Repaired } else { Fit::AtOnce }, Ok(fields)),
            (Some(fields), None) => (Fit::Offline, Ok(fields)),
            (None, _) => {
                let known = |failure: &RecordedFailure| (failure.kind.clone(), failure.message.clone());
                let unknown = || ("error".to_owned(), "the recorded call has no answer".to_owned());
                (Fit::Unanswered, Err(call.failure.as_ref().map_or_else(unknown, known)))
            }
        };
        let latency = (fit != Fit::Offline).then_some(Duration::from_millis(report.latency_ms));
        Self { fit, outcome, usage: report.usage, latency }
    }

    /// The answer of the offline analysis.
    pub fn offline(question: &dyn Question) -> Self {
        let none = || ("offline".to_owned(), "there is no answer offline".to_owned());
        let outcome = question.offline().ok_or_else(none);
        let fit = if outcome.is_ok() { Fit::Offline } else { Fit::Unanswered };
        Self { fit, outcome, usage: Usage::default(), latency: None }
    }
}

/// What the answers of a side add up to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// The side's name: its prompt and model, `recorded`, or `offline`.
    pub name: String,
    /// The answers that fit at once.
    pub at_once: usize,
    /// The answers that fit after a repair.
    pub repaired: usize,
    /// The requests whose answers never fit.
    pub never: usize,
    /// The requests without an answer.
    pub unanswered: usize,
    /// The answers of the offline analysis.
    pub offline: usize,
    /// The failures, by kind.
    pub failures: BTreeMap<String, usize>,
    /// What all requests consumed.
    pub usage: Usage,
    /// The median of the answers' times, in milliseconds.
    pub latency_p50_ms: Option<u64>,
    /// The time that one answer in twenty exceeds, in milliseconds.
    pub latency_p95_ms: Option<u64>,
}

impl Side {
    pub(super) fn of<'a>(name: &str, answers: impl Iterator<Item = &'a Answer> + Clone) -> Self {
        let count = |fit: Fit| answers.clone().filter(|answer| answer.fit == fit).count();
        let mut failures = BTreeMap::new();
        for (kind, _) in answers.clone().filter_map(|answer| answer.outcome.as_ref().err()) {
            *failures.entry(kind.clone()).or_default() += 1;
        }
        let answered = answers.clone().filter(|answer| answer.outcome.is_ok());
        let mut latencies: Vec<_> = answered.filter_map(|answer| answer.latency).collect();
        latencies.sort();
        Self {
            name: name.to_owned(),
            at_once: count(Fit::AtOnce),
            repaired: count(Fit::Repaired),
            never: count(Fit::Never),
            unanswered: count(Fit::Unanswered),
            offline: count(Fit::Offline),
            failures,
            usage: answers.map(|answer| answer.usage).sum(),
            latency_p50_ms: percentile(&latencies, 50),
            latency_p95_ms: percentile(&latencies, 95),
        }
    }

    /// The share of requests with a model's answer that fits.
    pub fn valid(&self) -> f64 {
        let fit = self.at_once + self.repaired;
        fit as f64 / (fit + self.never + self.unanswered).max(1) as f64
    }
}

/// The value at the nearest rank.
fn percentile(sorted: &[Duration], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    Some(sorted.get(rank - 1)?.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let times: Vec<_> = (1..=20).map(Duration::from_millis).collect();
        assert_eq!((percentile(&times, 50), percentile(&times, 95)), (Some(10), Some(19)));
        assert_eq!((percentile(&times[..1], 95), percentile(&[], 95)), (Some(1), None));
    }
}
