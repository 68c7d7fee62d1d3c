//! What tokens cost.

use serde::{Deserialize, Serialize};

/// A model's prices, in micros (millionths of the currency) for a million tokens: 300,000 is 0.30.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For tokens of the prompt.
    pub input_micros: u64,
    /// For tokens of the answer and its thoughts.
    pub output_micros: u64,
}

impl Price {
    /// What one call costs, rounded up to a whole micro.
    pub fn cost_micros(&self, input_tokens: u64, output_tokens: u64) -> u64 {
        let exact = u128::from(input_tokens) * u128::from(self.input_micros)
            + u128::from(output_tokens) * u128::from(self.output_micros);
        u64::try_from(exact.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}
