//! What the stand-in does: how slow it is, which faults strike, and whom it serves.

mod latency;
mod outage;
mod price;
mod quota;
mod rates;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::draw::Draw;
pub use latency::Latency;
pub use outage::Outage;
pub use price::Price;
pub use quota::Quota;
pub(crate) use quota::{Buckets, Room};
pub use rates::{Fault, Rates};

/// How a refusal of too many requests tells when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// `Retry-After` in whole seconds, rounded up.
    Seconds,
    /// `Retry-After` as an HTTP date.
    Date,
    /// `retry-after-ms`, beside `Retry-After` in seconds.
    Milliseconds,
    /// Nothing tells.
    None,
}

/// What the stand-in does. All of it can be changed while it runs.
///
/// As JSON, every field may be left out; a field that does not exist is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Decides which faults strike which requests.
    pub seed: u64,
    /// How long answers take.
    pub latency: Latency,
    /// How often each fault strikes.
    pub rates: Rates,
    /// What strikes the first askings of every id, before the rates decide; `None` is an asking without a fault.
    pub script: Vec<Option<Fault>>,
    /// How often tools are asked for first, if a request declares some.
    pub tool_calls: f64,
    /// How often tools are asked for in one conversation: rounds.
    pub tool_rounds: u32,
    /// When all calls fail.
    pub outages: Vec<Outage>,
    /// What each key may use.
    pub quota: Option<Quota>,
    /// After how many milliseconds a refused client may come back: least and most.
    pub retry_after_ms: (u64, u64),
    /// How a refusal tells that time; one of these is drawn. The quota's refusals tell it in the same way.
    pub retry_hints: Vec<Hint>,
    /// The pause before each piece of a slow stream.
    pub pause_ms: u64,
    /// Tokens that the model thinks before each answer. They are billed as output, and count for the most tokens.
    pub thinking_tokens: u64,
    /// Whether an answer is billed although its client left before it was ready. Providers do.
    pub bills_abandoned: bool,
    /// Whether data that says "ignore your instructions" is obeyed: its words come back in all texts of the answer.
    pub obeys_injection: bool,
    /// The keys that are let in. If empty: any, and for the protocol of `OpenAI` also none.
    pub keys: Vec<String>,
    /// The models that exist. If empty: any.
    pub models: Vec<String>,
    /// Prices by model. A model without a price costs nothing.
    pub prices: BTreeMap<String, Price>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            seed: 0,
            latency: Latency::default(),
            rates: Rates::default(),
            script: Vec::new(),
            tool_calls: 0.0,
            tool_rounds: 1,
            outages: Vec::new(),
            quota: None,
            retry_after_ms: (1_000, 3_000),
            retry_hints: vec![Hint::Seconds, Hint::Seconds, Hint::Milliseconds, Hint::Date],
            pause_ms: 50,
            thinking_tokens: 0,
            bills_abandoned: true,
            obeys_injection: false,
            keys: Vec::new(),
            models: Vec::new(),
            prices: BTreeMap::new(),
        }
    }
}

impl Schedule {
    /// Says what is wrong with these values.
    pub fn check(&self) -> Result<(), String> {
        self.rates.check()?;
        if !(0.0..=1.0).contains(&self.tool_calls) {
            return Err(format!("tool_calls is {}. Give a share from 0 to 1.", self.tool_calls));
        }
        if !self.latency.spread.is_finite() || self.latency.spread < 0.0 {
            return Err(format!("latency.spread is {}. Give a number from 0.", self.latency.spread));
        }
        let (least, most) = self.retry_after_ms;
        if least > most {
            return Err(format!("retry_after_ms is from {least} to {most}. Give the smaller number first."));
        }
        self.outages.iter().try_for_each(Outage::check)?;
        self.quota.as_ref().map_or(Ok(()), Quota::check)
    }

    /// The fault that strikes this asking of this id. The first asking is 1.
    pub fn fault(&self, id: &str, asking: u64) -> Option<Fault> {
        match self.script.get(asking.saturating_sub(1) as usize) {
            Some(scripted) => *scripted,
            None => self.rates.strike(self.draw("fault", id, asking).share()),
        }
    }

    /// Numbers for one purpose of one asking.
    pub(crate) fn draw(&self, purpose: &str, id: &str, asking: u64) -> Draw {
        Draw::of(self.seed, &[purpose, id, &asking.to_string()])
    }

    pub(crate) fn outage_at(&self, now_ms: u64) -> Option<&Outage> {
        self.outages.iter().find(|outage| (outage.from_ms..outage.to_ms).contains(&now_ms))
    }

    /// What this model's tokens cost, in millionths of the currency.
    pub(crate) fn cost_micros(&self, model: &str, input: u64, output: u64) -> u64 {
        self.prices.get(model).map_or(0, |price| price.cost_micros(input, output))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Latency, Rates, Schedule};

    #[test]
    fn a_fault_strikes_about_as_often_as_its_rate_says() {
        let rates = Rates { cut: 0.1, hang: 0.3, ..Rates::default() };
        let schedule = Schedule { seed: 3, rates, ..Schedule::default() };
        let count = |fault| (0..10_000).filter(|id| schedule.fault(&id.to_string(), 1) == Some(fault)).count();
        assert!((850..1_150).contains(&count(Fault::Cut)), "{}", count(Fault::Cut));
        assert!((2_800..3_200).contains(&count(Fault::Hang)), "{}", count(Fault::Hang));
    }

    #[test]
    fn times_spread_around_their_median() {
        let latency = Latency { median_ms: 300, spread: 0.5 };
        let schedule = Schedule { latency, ..Schedule::default() };
        let time = |id: u64| latency.time(&mut schedule.draw("latency", &id.to_string(), 1)).as_millis();
        assert_eq!(time(1), time(1));
        let mut times: Vec<_> = (0..1_001).map(time).collect();
        times.sort_unstable();
        assert!((280..320).contains(&times[500]), "{}", times[500]);
        assert!(times[0] >= 66 && times[1_000] <= 1_345, "{} to {}", times[0], times[1_000]);
        assert!(times[100] < 200 && times[900] > 450, "{} and {}", times[100], times[900]);
    }
}
