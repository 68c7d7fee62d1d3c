//! How sure a claim is: no surer than what the streams so far support.
//!
//! 1. The forecast says how probable the claim is.
//! 2. The plain answer is how often the claim would have come true so far in the stream. The forecast is trusted as far
//!    as it was better than the plain answer ([`Trust`]).
//! 3. If the advice of a kind came true less often than it was sure, the kind becomes less sure, and the other way round.
//!    Few predictions change little.
//! 4. Nothing is told as impossible or certain.
//!
//! Predictions after neighbouring windows foresee nearly the same minutes. So one counts only as a part of a prediction:
//! all that foresee the same window count as one.

use std::collections::BTreeMap;

use super::{
    claim::{Claim, Side},
    forecast::Belief,
    prediction::Action,
    trust::{First, Trust},
};

/// The bounds of what is told. Hundreds of predictions that all came true would be needed to tell more.
pub(super) const BOUNDS: (f64, f64) = (0.02, 0.98);
/// What is asked after each window, so that there is evidence about the forecast whatever the advice was: whether the
/// chat will be below these shares of the usual rate.
pub(super) const ASKED: [f64; 3] = [0.8, 1.0, 1.25];
/// The trust in the forecast without evidence. It stands for so many times that the forecast said yes, and the plain
/// answer no.
const FIRST: First = First { trust: 0.5, evidence: 10.0 };
/// A kind of advice is believed as if so many of its predictions had come true exactly as often as it was sure.
const RECORD_WEIGHT: f64 = 10.0;
/// What remains of a streamer's evidence from one stream to the next. Channels change.
const REMAINS: f64 = 0.8;

/// What the earlier predictions for a streamer taught.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Lessons {
    trust: Trust,
    records: BTreeMap<Action, Record>,
}

/// The predictions of one kind whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Record {
    /// How many there are.
    pub(super) judged: f64,
    /// How many came true.
    pub(super) came_true: f64,
    /// How many should have come true: the sum of their probabilities.
    pub(super) expected: f64,
}

/// How probable a claim is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weighed {
    /// What is told.
    pub(super) sure: f64,
    /// What the forecast and the plain answer say together.
    pub(super) pooled: f64,
    /// The plain answer.
    pub(super) plain: f64,
}

/// What is known of a stream after some of its windows.
#[derive(Debug, Clone)]
pub(super) struct Sureness {
    lessons: Lessons,
    /// How many windows a prediction reaches.
    horizon: usize,
    /// The rates of all stretches of so many windows, in ascending order.
    rates: Vec<f64>,
    /// What was asked after each window.
    asked: Vec<[Question; ASKED.len()]>,
}

/// Whether the chat will be below a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Question {
    rate: f64,
    model: f64,
    plain: f64,
}

impl Lessons {
    /// What still counts in the next stream.
    pub(super) fn for_next_stream(mut self) -> Self {
        self.trust.fade(REMAINS);
        for Record { judged, came_true, expected } in self.records.values_mut() {
            (*judged, *came_true, *expected) = (*judged * REMAINS, *came_true * REMAINS, *expected * REMAINS);
        }
        self
    }
}

impl Record {
    /// A probability, moved by the mean surplus of what came true. The surplus is drawn towards zero while there are few.
    pub(super) fn corrected(&self, probability: f64) -> f64 {
        probability + (self.came_true - self.expected) / (self.judged + RECORD_WEIGHT)
    }
}

impl Sureness {
    pub(super) fn new(lessons: Lessons, horizon: usize) -> Self {
        Self { lessons, horizon, rates: Vec::new(), asked: Vec::new() }
    }

    pub(super) fn lessons(self) -> Lessons {
        self.lessons
    }

    /// Learns the rate of the last `horizon` windows. It answers what was asked before them.
    pub(super) fn saw(&mut self, rate: f64) {
        if let Some(before) = self.asked.len().checked_sub(self.horizon) {
            for question in self.asked[before] {
                let came = f64::from(u8::from(rate < question.rate));
                self.lessons.trust.learn(question.model, question.plain, came);
            }
        }
        self.rates.insert(self.rates.partition_point(|other| *other < rate), rate);
    }

    /// Asks the questions of a window, and says how probable each is.
    pub(super) fn ask(&mut self, belief: &Belief, usual: f64) -> [f64; ASKED.len()] {
        let questions = ASKED.map(|share| {
            let rate = share * usual;
            Question { rate, model: belief.below(rate), plain: self.plain(Side::Below, rate) }
        });
        self.asked.push(questions);
        questions.map(|question| bounded(self.pooled(question.model, question.plain)))
    }

    /// How sure a claim of a kind of advice is.
    pub(super) fn weigh(&self, action: Action, claim: &Claim, belief: &Belief) -> Weighed {
        let below = belief.below(claim.chats_per_second);
        let model = match claim.side {
            Side::Above => 1.0 - below,
            Side::Below => below,
        };
        let plain = self.plain(claim.side, claim.chats_per_second);
        let pooled = self.pooled(model, plain);
        let record = self.lessons.records.get(&action).copied().unwrap_or_default();
        Weighed { sure: bounded(record.corrected(pooled)), pooled, plain }
    }

    /// Learns what became of earlier advice.
    pub(super) fn judge(&mut self, action: Action, pooled: f64, came_true: bool) {
        let record = self.lessons.records.entry(action).or_default();
        let part = 1.0 / self.horizon as f64;
        record.judged += part;
        record.came_true += part * f64::from(u8::from(came_true));
        record.expected += part * pooled;
    }

    fn pooled(&self, model: f64, plain: f64) -> f64 {
        self.lessons.trust.pool(model, plain, FIRST)
    }

    /// How often a claim would have come true so far, by Laplace's rule of succession.
    fn plain(&self, side: Side, rate: f64) -> f64 {
        let below = self.rates.partition_point(|other| *other < rate);
        let came_true = match side {
            Side::Above => self.rates.len() - below,
            Side::Below => below,
        };
        let part = 1.0 / self.horizon as f64;
        (came_true as f64 * part + 1.0) / (self.rates.len() as f64 * part + 2.0)
    }
}

fn bounded(probability: f64) -> f64 {
    probability.clamp(BOUNDS.0, BOUNDS.1)
}
