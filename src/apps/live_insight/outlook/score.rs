//! How good predictions are, beside naive ones: on streams that are over, each prediction is compared with what came.

use std::collections::BTreeMap;

use tidemill_schemas::Insight;

use super::{
    churn::{Shares, lately},
    claim::{Claim, Outcome, Side},
    course::{rate, steps},
    forecast::beliefs,
    prediction::Action,
    sureness::{ASKED, Lessons},
    told::{Made, after, horizon},
};
use crate::apps::live_insight::history::sessions;

/// Predictions of the first windows are not scored: nothing is known yet, by any method.
const WARM_UP: usize = 5;

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

/// Advice that was given. All numbers are sums over this advice.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Advised {
    /// How often it was given, with its time over.
    pub given: u64,
    /// How often its claim came true.
    pub came_true: u64,
    /// The confidences: about as large as `came_true` if they are honest.
    pub confidence: f64,
    /// The squared differences of confidence and what came, 0 or 1. Divided by `given`, this is the Brier score.
    pub error: f64,
    /// The same of a naive adviser, who is as sure of the claim as it would have come true so far in the stream.
    pub naive_error: f64,
    /// How often the same claim comes true for a naive adviser who makes it as often, at moments of the stream that are
    /// chosen without any reason.
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

impl Advised {
    fn add(&mut self, made: &Made, came_true: bool, at_random: f64) {
        let (came, sure) = (f64::from(u8::from(came_true)), made.told.prediction.advice.confidence);
        self.given += 1;
        self.came_true += u64::from(came_true);
        self.confidence += sure;
        self.error += (sure - came).powi(2);
        self.naive_error += (made.weighed.plain - came).powi(2);
        self.at_random += at_random;
    }
}

impl Scores {
    /// All advice together.
    pub fn all_advice(&self) -> Advised {
        self.advice.values().fold(Advised::default(), |all, one| Advised {
            given: all.given + one.given,
            came_true: all.came_true + one.came_true,
            confidence: all.confidence + one.confidence,
            error: all.error + one.error,
            naive_error: all.naive_error + one.naive_error,
            at_random: all.at_random + one.at_random,
        })
    }

    /// Adds the scores of a streamer's streams that are over. Their insights are in order. A pause of half an hour begins
    /// another stream, as in [`outlook`](super::outlook()).
    pub fn add(&mut self, insights: &[&Insight]) {
        let mut lessons = Lessons::default();
        for stream in sessions(insights.iter().copied()) {
            let made;
            (made, lessons) = after(lessons, &stream);
            self.add_stream(&stream, &made);
        }
    }

    fn add_stream(&mut self, insights: &[&Insight], made: &[Made]) {
        let Some(horizon) = horizon(insights) else { return };
        self.add_chat(insights, horizon, made);
        self.add_churn(insights, horizon);
        self.add_advice(made);
    }

    fn add_chat(&mut self, insights: &[&Insight], horizon: usize, made: &[Made]) {
        let steps = steps(insights);
        let beliefs = beliefs(&steps, horizon);
        let mut often = [(0.0, 0.0); ASKED.len()];
        let scored = made.iter().filter(|made| made.windows >= WARM_UP && made.windows + horizon <= steps.len());
        for Made { windows, usual, asked, .. } in scored {
            let came = rate(&steps[*windows..windows + horizon]);
            let (last, mean) = (rate(&steps[windows - 1..*windows]), rate(&steps[windows - WARM_UP..*windows]));
            let expected = beliefs[windows - 1].per_second();
            self.chat.add([expected, last, mean].map(|guess| (guess - came).abs()), came);
            for ((share, ours), (below, all)) in ASKED.into_iter().zip(asked).zip(&mut often) {
                let is_below = |rate: f64| f64::from(u8::from(rate < share * usual));
                let guesses = [*ours, is_below(last), (*below + 0.5) / (*all + 1.0)];
                self.probability.add(guesses.map(|guess| (guess - is_below(came)).powi(2)), 1.0);
                // What is known now of the question: how often the windows so far were below.
                (*below, *all) = (*below + is_below(last), *all + 1.0);
            }
        }
    }

    fn add_churn(&mut self, insights: &[&Insight], horizon: usize) {
        let shares = Shares::of(insights, horizon);
        for at in 0..insights.len().saturating_sub(horizon) {
            let (Some(came), Some(last)) = (shares.seen[at + horizon], shares.seen[at]) else { continue };
            let mean = lately(&shares.seen, at).unwrap_or(last);
            self.churn.add([shares.expected[at], last, mean].map(|guess| (guess - came).abs()), 1.0);
        }
    }

    fn add_advice(&mut self, made: &[Made]) {
        let outcome = |made: &Made| match made.told.outcome {
            Outcome::CameTrue { chats_per_second } => Some((true, chats_per_second)),
            Outcome::DidNot { chats_per_second } => Some((false, chats_per_second)),
            Outcome::Open => None,
        };
        let rates: Vec<f64> = made.iter().filter_map(outcome).map(|(_, rate)| rate).collect();
        for one in made {
            if let Some((came_true, _)) = outcome(one) {
                let advice = &one.told.prediction.advice;
                self.advice.entry(advice.action).or_default().add(one, came_true, share_of(&rates, &advice.claim));
            }
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
