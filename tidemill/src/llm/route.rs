//! A target of calls: a model of a provider, and its price.

use std::sync::Arc;

use super::{price::Price, provider::Provider};

/// A model of a provider. See the example of [`ModelCaller`](super::ModelCaller).
#[derive(Debug, Clone)]
pub struct ModelRoute {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) model: String,
    pub(super) price: Price,
    pub(super) currency: String,
    pub(super) stream: bool,
}

impl ModelRoute {
    /// A model by the name that its provider knows, free of charge. See the example of
    /// [`ModelCaller`](super::ModelCaller).
    pub fn new(provider: Arc<dyn Provider>, model: impl Into<String>) -> Self {
        Self { provider, model: model.into(), price: Price::default(), currency: String::new(), stream: false }
    }

    /// Sets the price of its tokens. See the example of [`ModelCaller`](super::ModelCaller).
    #[must_use]
    pub fn price(self, price: Price) -> Self {
        Self { price, ..self }
    }

    /// Names the currency of its price, for reports ([`AnswerDetails::currency`](super::AnswerDetails::currency)).
    #[must_use]
    pub fn currency(self, currency: impl Into<String>) -> Self {
        Self { currency: currency.into(), ..self }
    }

    /// Takes the answer in parts. What came before a connection broke off is then known, and counted.
    #[must_use]
    pub fn streamed(self) -> Self {
        Self { stream: true, ..self }
    }
}
