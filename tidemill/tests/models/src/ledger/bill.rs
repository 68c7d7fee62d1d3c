//! What all calls cost together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Call;

/// Sums of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sum {
    /// All calls.
    pub calls: u64,
    /// Calls with a billed answer.
    pub billed_calls: u64,
    /// Billed tokens of prompts.
    pub input_tokens: u64,
    /// Billed tokens of answers and their thoughts.
    pub output_tokens: u64,
    /// What they cost, in micros.
    pub cost_micros: u64,
}

impl Sum {
    fn add(&mut self, call: &Call) {
        self.billed_calls += 1;
        self.input_tokens += call.input_tokens;
        self.output_tokens += call.output_tokens;
        self.cost_micros += call.cost_micros;
    }
}

/// What all calls cost together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bill {
    /// Of all models.
    #[serde(flatten)]
    pub all: Sum,
    /// Of each model.
    pub by_model: BTreeMap<String, Sum>,
    /// The number of billed answers of each id that has some.
    pub by_id: BTreeMap<String, u64>,
}

impl Bill {
    pub(super) fn count(&mut self, call: &Call) {
        self.all.calls += 1;
        self.by_model.entry(call.model.clone()).or_default().calls += 1;
    }

    pub(super) fn charge(&mut self, call: &Call) {
        self.all.add(call);
        self.by_model.entry(call.model.clone()).or_default().add(call);
        *self.by_id.entry(call.id.clone()).or_default() += 1;
    }
}

impl std::ops::Deref for Bill {
    type Target = Sum;

    fn deref(&self) -> &Sum {
        &self.all
    }
}
