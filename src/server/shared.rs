//! Shared by all handlers: the applications that run, and the services beside them.

use std::sync::Arc;

use axum::{extract::FromRef, http::StatusCode};
use tokio::sync::{Semaphore, watch};

use super::{
    access::Access, engine::Engine, hub::Hub, intake::Intake, metrics::Metrics, pressure::Pressure, problem::Problem,
};
use crate::apps::App;

/// Shared by all requests.
pub(super) struct Shared {
    pub(super) engine: Arc<Engine>,
    pub(super) access: Access,
    pub(super) pressure: Arc<Pressure>,
    pub(super) hub: Arc<Hub>,
    pub(super) intake: Intake,
    pub(super) metrics: Metrics,
    pub(super) followers: Arc<Semaphore>,
    pub(super) closing: watch::Sender<bool>,
    /// The client for requests to other instances.
    pub(super) http: reqwest::Client,
}

impl Shared {
    pub(super) fn new(engine: Arc<Engine>, http: reqwest::Client) -> Self {
        Self {
            access: Access::new(engine.settings()),
            pressure: Arc::new(Pressure::new(&engine)),
            hub: Arc::new(Hub::new(&engine)),
            intake: Intake::new(&engine),
            metrics: Metrics::new(&engine),
            followers: Arc::new(Semaphore::new(engine.settings().limits.event_streams)),
            closing: watch::Sender::new(false),
            http,
            engine,
        }
    }

    /// Refuses requests for an application that does not run here.
    pub(super) fn running(&self, app: App) -> Result<(), Problem> {
        if self.engine.app(app).is_some() {
            return Ok(());
        }
        let what = format!("{} does not run here", app.id);
        Err(Problem::new(StatusCode::NOT_FOUND, what, format!("start `tidemill {}` or `tidemill serve`", app.id)))
    }

    /// The number of a topic's partitions, which the log knows since the start.
    pub(super) fn partitions(&self, topic: &str) -> Result<i32, Problem> {
        self.engine.log().partitions(topic).map_err(|error| Problem::internal(&error))
    }
}

impl FromRef<Arc<Shared>> for Access {
    fn from_ref(shared: &Arc<Shared>) -> Self {
        shared.access.clone()
    }
}
