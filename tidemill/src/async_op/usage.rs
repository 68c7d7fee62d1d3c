//! What calls consume: tokens and money.

use std::{
    iter::Sum,
    ops::{Add, AddAssign},
};

use serde::{Deserialize, Serialize};

/// What an attempt, or several, consumed. Sums stop at the largest number.
///
/// ```
/// use tidemill::Usage;
///
/// let first = Usage { input_tokens: 1_200, output_tokens: 80, cost_micros: 440 };
/// let both = first + Usage { input_tokens: 1_300, ..Usage::default() };
/// assert_eq!((both.tokens(), both.cost_micros), (2_580, 440));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens of the answer, thoughts included.
    #[serde(default)]
    pub output_tokens: u64,
    /// Money, in millionths of a unit of the currency in which prices are given.
    #[serde(default)]
    pub cost_micros: u64,
}

impl Usage {
    /// Tokens of request and answer together. See the example of [`Usage`].
    pub const fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost_micros: self.cost_micros.saturating_add(other.cost_micros),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), Add::add)
    }
}
