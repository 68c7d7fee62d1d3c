//! The sender of a request, with its rights.

use std::sync::Arc;

use axum::http::StatusCode;
use subtle::ConstantTimeEq as _;
use tokio::sync::OwnedSemaphorePermit;

use super::{rate::Rate, share::Share};
use crate::{
    apps::App,
    server::{problem::Problem, settings::Tenant},
};

/// The sender of a request.
#[derive(Debug, Clone)]
pub(in crate::server) struct Visitor {
    /// `None` if no tenants are configured: every client that reaches the address may do everything.
    tenant: Option<Arc<Tenant>>,
    rate: Option<Arc<Rate>>,
    /// `None` if there is one tenant, who may use everything.
    share: Option<Arc<Share>>,
}

impl Visitor {
    /// Every client, of a server without tenants.
    pub(super) fn anyone() -> Self {
        Self { tenant: None, rate: None, share: None }
    }

    pub(super) fn of(tenant: Arc<Tenant>, rate: Option<Arc<Rate>>, share: Option<Arc<Share>>) -> Self {
        Self { tenant: Some(tenant), rate, share }
    }

    /// Compares a token with the visitor's own, in constant time.
    pub(super) fn has_token(&self, given: &str) -> bool {
        self.tenant.as_ref().is_some_and(|tenant| tenant.token.as_bytes().ct_eq(given.as_bytes()).into())
    }

    /// Takes records off the visitor's rate. Refuses them when the rate is used up.
    pub(in crate::server) fn take(&self, records: usize) -> Result<(), Problem> {
        self.rate.as_ref().map_or(Ok(()), |rate| rate.take(records))
    }

    /// Reserves memory for a body within the visitor's share, until the permit is dropped.
    pub(in crate::server) fn reserve(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        self.share.as_ref().map(|share| share.body(bytes)).transpose()
    }

    /// A place for a page within the visitor's share, until the permit is dropped.
    pub(in crate::server) fn follow(&self) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        self.share.as_ref().map(|share| share.follower()).transpose()
    }

    /// The visitor's turn to have a view made, until the permit is dropped. Waits for the visitor's earlier ones.
    pub(in crate::server) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        match &self.share {
            Some(share) => Some(share.turn().await),
            None => None,
        }
    }

    /// Refuses ids that are not the visitor's.
    pub(in crate::server) fn may(&self, app: App, id: &str) -> Result<(), Problem> {
        if self.sees(app, id) {
            return Ok(());
        }
        let what = app.owner.word;
        let fix = format!("use a token that opens this {what}");
        Err(Problem::new(StatusCode::FORBIDDEN, format!("the token does not open this {what}"), fix))
    }

    /// An id that the visitor's token opens, made of a name: the name itself if possible.
    pub(in crate::server) fn own(&self, app: App, name: &str) -> Option<String> {
        match &self.tenant {
            None => Some(name.to_owned()),
            Some(tenant) => tenant.own(app, name),
        }
    }

    pub(in crate::server) fn sees(&self, app: App, id: &str) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| tenant.opens(app, id))
    }

    /// Refuses visitors that may not see metrics and state.
    pub(in crate::server) fn may_inspect(&self) -> Result<(), Problem> {
        if self.tenant.as_ref().is_none_or(|tenant| tenant.admin) {
            return Ok(());
        }
        let fix = "use a token of a tenant with `admin = true`";
        Err(Problem::new(StatusCode::FORBIDDEN, "the token does not open metrics and state", fix))
    }

    pub(in crate::server) fn body_bytes(&self, limit: usize) -> usize {
        self.tenant.as_ref().and_then(|tenant| tenant.body_bytes).map_or(limit, |own| own.min(limit))
    }
}
