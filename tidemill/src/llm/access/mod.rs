//! How a provider lets us in: keys that take turns, or tokens that are renewed.

mod keys;
mod renewal;
mod source;

use std::sync::Arc;

use self::{keys::ApiKeys, renewal::Renewal};
pub use self::{
    renewal::{Token, TokenError, TokenFuture, TokenSource},
    source::{CommandToken, FileToken, StaticToken},
};
use super::{
    error::{ModelError, ModelErrorKind},
    secret::Secret,
};
use crate::clock::Clock;

/// What a provider wants to see.
#[derive(Debug)]
pub(super) enum Access {
    /// Nothing, as a server on this machine.
    Open,
    Keys(ApiKeys),
    Tokens(Renewal),
}

impl Access {
    pub(super) fn keys(keys: impl IntoIterator<Item = impl Into<Secret>>, clock: Arc<dyn Clock>) -> Self {
        Self::Keys(ApiKeys::new(keys.into_iter().map(Into::into).collect(), clock))
    }

    pub(super) fn tokens(source: Arc<dyn TokenSource>, clock: Arc<dyn Clock>) -> Self {
        Self::Tokens(Renewal::new(source, clock))
    }

    /// Begins the tries of one request.
    pub(super) fn tries<'a>(&'a self, model: &'a str) -> Tries<'a> {
        Tries { access: self, model, key: None, token: None, renewed: false, last: None }
    }
}

/// The tries of one request: the next key after one that was refused or exhausted, a new token after one that was
/// refused.
pub(super) struct Tries<'a> {
    access: &'a Access,
    model: &'a str,
    key: Option<usize>,
    token: Option<Secret>,
    renewed: bool,
    last: Option<ModelError>,
}

impl Tries<'_> {
    /// The key or the token for the next try.
    pub(super) async fn next(&mut self) -> Result<Option<Secret>, ModelError> {
        match self.access {
            Access::Open => Ok(None),
            Access::Keys(keys) => {
                let (index, key) = keys.choose(self.model).map_err(|resting| self.last.take().unwrap_or(resting))?;
                self.key = Some(index);
                Ok(Some(key))
            }
            Access::Tokens(renewal) => {
                let refused = self.token.take();
                let token = renewal.token(refused.as_ref()).await.map_err(|error| match self.last.take() {
                    Some(last) => last,
                    None => ModelErrorKind::Unauthorized { code: error.to_string() }.into(),
                })?;
                self.token = Some(token.clone());
                Ok(Some(token))
            }
        }
    }

    /// Notes how a try failed. Returns the error if another try is useless.
    pub(super) fn failed(&mut self, error: ModelError) -> Result<(), ModelError> {
        match (self.access, &error.kind) {
            (Access::Keys(keys), ModelErrorKind::Unauthorized { .. }) => {
                keys.refused(self.key.take().unwrap_or_default());
            }
            // Without another key, resting would refuse requests that the service may take: its pause goes to the caller.
            (Access::Keys(keys), ModelErrorKind::RateLimited { daily: false, .. }) if keys.is_single() => {
                return Err(error);
            }
            (Access::Keys(keys), ModelErrorKind::RateLimited { retry_after, daily, .. }) => {
                keys.spent(self.key.take().unwrap_or_default(), self.model, *retry_after, *daily);
            }
            (Access::Tokens(_), ModelErrorKind::Unauthorized { .. }) if !self.renewed => self.renewed = true,
            _ => return Err(error),
        }
        self.last = Some(error);
        Ok(())
    }
}
