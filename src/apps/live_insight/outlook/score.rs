//! How good predictions are, beside naive ones: on streams that are over, each prediction is compared with what came.

use std::collections::BTreeMap;

use tidemill_schemas::Insight;

use super::{
    churn::Shares,
    claim::{Claim, Outcome, Side},
    course::steps,
    forecast::{beliefs, seen},
    prediction::Action,
    told::{horizon, told},
};

/// Predictions of the first windows are not scored: nothing is known yet, by any method.
const WARM_UP: usize = 5;
/// What is asked after each window: whether the chat will be below these shares of the usual rate.
const ASKED: [f64; 3] = [0.8, 1.0, 1.25];

/// The scores of some streams. Less is better, except for `came_true`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores {
    /// The error of the expected chat: the sum of all errors, divided by the sum of what came.
    pub chat: Compared,
    /// The error of probabilities: the mean squared difference (Brier score) to what came, 0 or 1. Each time it is asked
    /// whether the chat will be below 80 %, 100 % and 125 % of the usual.
    pub probability: Compared,
    /// The error of the share of authors who stop: the mean difference.
    pub churn: Compared,
    /// Advice by kind.
    pub advice: BTreeMap<Action, Advised>,
}

/// The errors of a method and of naive ones.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Compared {
    ours: f64,
    last: f64,
    mean: f64,
    by: f64,
}

/// Advice that was given.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Advised {
    /// How often it was given, with its time over.
    pub given: u64,
    /// How often its claim came true.
    pub came_true: u64,
    /// The sum of confidences: about as large as `came_true` if they are honest.
    pub confidence: f64,
    /// How often the same claim comes true for a naive adviser, who makes it as often at moments without any reason.
    pub at_random: f64,
}

impl Compared {
    fn add(&mut self, [ours, last, mean]: [f64; 3], by: f64) {
        self.ours += ours;
        self.last += last;
        self.mean += mean;
        self.by += by;
    }

    /// The error of the prediction.
    pub fn ours(&self) -> f64 {
        self.ours / self.by
    }

    /// The error of the naive prediction that all stays as in the last window.
    pub fn like_last(&self) -> f64 {
        self.last / self.by
    }

    /// The error of the naive prediction that all stays as in the mean of the last five windows; of probabilities: as
    /// often as so far in the stream.
    pub fn like_mean(&self) -> f64 {
        self.mean / self.by
    }
}

impl Scores {
    /// All advice together.
    pub fn all_advice(&self) -> Advised {
        self.advice.values().fold(Advised::default(), |all, one| Advised {
            given: all.given + one.given,
            came_true: all.came_true + one.came_true,
            confidence: all.confidence + one.confidence,
            at_random: all.at_random + one.at_random,
        })
    }

    /// Adds the score of a stream that is over. Its insights are in order.
    pub fn add(&mut self, insights: &[&Insight]) {
        let Some(horizon) = horizon(insights) else { return };
        let steps = steps(insights);
        let beliefs = beliefs(&steps, horizon);
        let rate = |from: usize, to: usize| {
            let (chats, seconds) = steps[from..to]
                .iter()
                .fold((0, 0.0), |(chats, seconds), step| (chats + step.chats, seconds + step.seconds));
            chats as f64 / seconds
        };
        let mut often = [(0.0, 0.0); ASKED.len()];
        let mut sorted: Vec<f64> = Vec::new();
        for at in 0..steps.len() {
            let calm = steps[at].calm.unwrap_or(f64::NAN);
            if !calm.is_nan() {
                sorted.insert(sorted.partition_point(|other| *other < calm), calm);
            }
            if at + 1 < WARM_UP || at + horizon >= steps.len() || sorted.is_empty() {
                continue;
            }
            let came = rate(at + 1, at + 1 + horizon);
            let (last, mean) = (rate(at, at + 1), rate((at + 1).saturating_sub(5), at + 1));
            let expected = beliefs[at].per_second();
            self.chat.add([expected, last, mean].map(|guess| (guess - came).abs()), came);
            let usual = sorted[sorted.len() / 2].exp();
            for (share, (below, all)) in ASKED.into_iter().zip(&mut often) {
                let truth = f64::from(u8::from(came < share * usual));
                let by_last = f64::from(u8::from(last < share * usual));
                let so_far = (*below + 0.5) / (*all + 1.0);
                let guesses = [beliefs[at].below(share * usual), by_last, so_far];
                self.probability.add(guesses.map(|guess| (guess - truth).powi(2)), 1.0);
                // What is known now of the question: how often the windows so far were below.
                (*below, *all) = (*below + by_last, *all + 1.0);
            }
        }
        self.add_churn(insights, horizon);
        self.add_advice(insights, horizon, |at| seen(&steps[at..at + horizon]).map_or(0.0, f64::exp));
    }

    fn add_churn(&mut self, insights: &[&Insight], horizon: usize) {
        let shares = Shares::of(insights, horizon);
        for at in 0..insights.len().saturating_sub(horizon) {
            let (Some(came), Some(last)) = (shares.seen[at + horizon], shares.seen[at]) else { continue };
            let lately: Vec<f64> = shares.seen[(at + 1).saturating_sub(5)..=at].iter().flatten().copied().collect();
            let mean = lately.iter().sum::<f64>() / lately.len() as f64;
            self.churn.add([shares.expected[at], last, mean].map(|guess| (guess - came).abs()), 1.0);
        }
    }

    fn add_advice(&mut self, insights: &[&Insight], horizon: usize, rate_from: impl Fn(usize) -> f64) {
        let rates: Vec<f64> = (0..(insights.len() + 1).saturating_sub(horizon)).map(rate_from).collect();
        for told in told(insights) {
            let advice = &told.prediction.advice;
            let came_true = match told.outcome {
                Outcome::CameTrue { .. } => 1,
                Outcome::DidNot { .. } => 0,
                Outcome::Open => continue,
            };
            let advised = self.advice.entry(advice.action).or_default();
            advised.given += 1;
            advised.came_true += came_true;
            advised.confidence += advice.confidence;
            advised.at_random += share_of(&rates, &advice.claim);
        }
    }
}

/// The share of moments at which a claim comes true.
fn share_of(rates: &[f64], claim: &Claim) -> f64 {
    let below = rates.iter().filter(|rate| **rate < claim.chats_per_second).count() as f64 / rates.len().max(1) as f64;
    match claim.side {
        Side::Above => 1.0 - below,
        Side::Below => below,
    }
}
