//! What tokens cost.

use super::reply::TokenUsage;
use crate::async_op::Usage;

/// The price of a model's tokens, in micros (millionths of a unit of the currency) for a million tokens.
///
/// ```
/// use tidemill::llm::{Price, TokenUsage};
///
/// // 0.30 for a million tokens of input, 2.50 for a million tokens of output.
/// let price = Price::per_million(300_000, 2_500_000);
/// let tokens = TokenUsage { input_tokens: 1_000, output_tokens: 100, ..TokenUsage::default() };
/// assert_eq!(price.usage(&tokens).cost_micros, 300 + 250);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// For a million tokens of input.
    pub input_micros: u64,
    /// For a million tokens of input that the provider had in its cache.
    pub cached_micros: u64,
    /// For a million tokens of output, thoughts included.
    pub output_micros: u64,
}

impl Price {
    /// The prices of input and output. Cached input costs the same as other input. See the example of [`Price`].
    pub const fn per_million(input_micros: u64, output_micros: u64) -> Self {
        Self { input_micros, cached_micros: input_micros, output_micros }
    }

    /// Sets the price of cached input.
    ///
    /// ```
    /// use tidemill::llm::{Price, TokenUsage};
    ///
    /// let price = Price::per_million(300_000, 2_500_000).cached(75_000);
    /// let tokens = TokenUsage { input_tokens: 3_000, cached_tokens: 2_000, ..TokenUsage::default() };
    /// assert_eq!(price.usage(&tokens).cost_micros, 300 + 150);
    /// ```
    #[must_use]
    pub const fn cached(self, cached_micros: u64) -> Self {
        Self { cached_micros, ..self }
    }

    /// What the tokens cost, rounded up. See the example of [`Price`].
    pub fn usage(&self, tokens: &TokenUsage) -> Usage {
        let TokenUsage { input_tokens, output_tokens, cached_tokens, .. } = *tokens;
        let cached = cached_tokens.min(input_tokens);
        let parts = [
            (input_tokens - cached, self.input_micros),
            (cached, self.cached_micros),
            (output_tokens, self.output_micros),
        ];
        let cost: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
        let cost_micros = u64::try_from(cost.div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Usage { input_tokens, output_tokens, cost_micros }
    }

    /// The most that a request may use: a token for every three bytes that are sent, and the most tokens of output.
    ///
    /// ```
    /// use tidemill::{Usage, llm::Price};
    ///
    /// let most = Price::per_million(300_000, 2_500_000).most(3_000, 200);
    /// assert_eq!(most, Usage { input_tokens: 1_000, output_tokens: 200, cost_micros: 300 + 500 });
    /// ```
    pub fn most(&self, bytes: u64, max_output_tokens: u64) -> Usage {
        let tokens =
            TokenUsage { input_tokens: bytes.div_ceil(3), output_tokens: max_output_tokens, ..TokenUsage::default() };
        // Nobody knows before the call what the provider has in its cache.
        self.usage(&tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_rounded_up_and_does_not_overflow() {
        let price = Price::per_million(1, u64::MAX);
        let one = TokenUsage { input_tokens: 1, ..TokenUsage::default() };
        assert_eq!(price.usage(&one).cost_micros, 1);
        let many = TokenUsage { output_tokens: u64::MAX, ..TokenUsage::default() };
        assert_eq!(price.usage(&many).cost_micros, u64::MAX);
    }

    #[test]
    fn more_cached_tokens_than_tokens_cost_no_less_than_nothing() {
        let odd = TokenUsage { input_tokens: 10, cached_tokens: 20, ..TokenUsage::default() };
        assert_eq!(Price::per_million(1_000_000, 0).usage(&odd).cost_micros, 10);
    }
}
