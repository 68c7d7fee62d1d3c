//! A target of calls: a model of a provider, and its price.

use std::sync::Arc;

use super::{
    error::{ModelError, ModelErrorKind},
    price::Price,
    provider::Provider,
};
use crate::async_op::CallError;

/// A model of a provider. See the example of [`ModelCaller`](super::ModelCaller).
#[derive(Debug, Clone)]
pub struct ModelRoute {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) model: String,
    pub(super) price: Price,
    pub(super) currency: String,
    pub(super) stream: bool,
    names: SettingNames,
}

/// The names of a program's settings, for messages that say which one to change. Empty texts are left out.
///
/// ```
/// # use std::sync::Arc;
/// # use tidemill::llm::Provider;
/// use tidemill::llm::{ModelRoute, SettingNames};
///
/// # fn route(provider: Arc<dyn Provider>) -> ModelRoute {
/// ModelRoute::new(provider, "gemini-2.5-flash").settings(SettingNames {
///     key: "GEMINI_API_KEY".into(),
///     model: "--model".into(),
///     address: String::new(),
/// })
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingNames {
    /// The setting of the key or the token.
    pub key: String,
    /// The setting of the model's name.
    pub model: String,
    /// The setting of the service's address.
    pub address: String,
}

impl ModelRoute {
    /// A model by the name that its provider knows, free of charge. See the example of
    /// [`ModelCaller`](super::ModelCaller).
    pub fn new(provider: Arc<dyn Provider>, model: impl Into<String>) -> Self {
        Self {
            provider,
            model: model.into(),
            price: Price::default(),
            currency: String::new(),
            stream: false,
            names: SettingNames::default(),
        }
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

    /// Names the program's settings of the key, the model and the address. Without it, a message about a refused key or
    /// an unknown model says what is wrong, but not where to change it. See the example of [`SettingNames`].
    #[must_use]
    pub fn settings(self, names: SettingNames) -> Self {
        Self { names, ..self }
    }

    /// The error, with what to change.
    pub(super) fn explained(&self, error: &ModelError) -> CallError {
        let mut told = error.to_call_error();
        let SettingNames { key, model, address } = &self.names;
        match &error.kind {
            ModelErrorKind::Unauthorized { .. } if !key.is_empty() => {
                told.message = format!("{}: change {key}", told.message);
            }
            ModelErrorKind::Refused { code } if error.is_unknown_model() => {
                let known = [model, address].into_iter().filter(|name| !name.is_empty());
                let change = known.map(String::as_str).collect::<Vec<_>>().join(" or ");
                let change = if change.is_empty() { String::new() } else { format!(": change {change}") };
                told.message = format!("the model's service does not know the model {} ({code}){change}", self.model);
            }
            _ => {}
        }
        told
    }

    /// Takes the answer in parts. What came before a connection broke off is then known, and counted.
    #[must_use]
    pub fn streamed(self) -> Self {
        Self { stream: true, ..self }
    }
}
