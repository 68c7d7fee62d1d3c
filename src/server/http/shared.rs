//! Shared by all handlers: the applications that run, and the services beside them.

use std::sync::Arc;

use axum::{extract::FromRef, http::StatusCode};
use tokio::sync::{Semaphore, watch};

use crate::{
    apps::App,
    server::{
        access::Access,
        engine::Engine,
        health::Metrics,
        intake::{Intake, Pressure},
        problem::Problem,
        results::Hub,
    },
};

/// Shared by all requests.
pub(in crate::server) struct Shared {
    pub(in crate::server) engine: Arc<Engine>,
    pub(in crate::server) access: Access,
    pub(in crate::server) pressure: Arc<Pressure>,
    pub(in crate::server) hub: Arc<Hub>,
    pub(in crate::server) intake: Intake,
    pub(in crate::server) metrics: Metrics,
    pub(in crate::server) followers: Arc<Semaphore>,
    pub(in crate::server) closing: watch::Sender<bool>,
    /// The client for requests to other instances.
    pub(in crate::server) http: reqwest::Client,
}

impl Shared {
    pub(in crate::server) fn new(engine: Arc<Engine>, http: reqwest::Client) -> Self {
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
    pub(in crate::server) fn running(&self, app: App) -> Result<(), Problem> {
        if self.engine.app(app).is_some() {
            return Ok(());
        }
        let what = format!("{} does not run here", app.id);
        Err(Problem::new(StatusCode::NOT_FOUND, what, format!("start `tidemill {}` or `tidemill serve`", app.id)))
    }

    /// The number of a topic's partitions, which the log knows since the start.
    pub(in crate::server) fn partitions(&self, topic: &str) -> Result<i32, Problem> {
        self.engine.log().partitions(topic).map_err(|error| Problem::internal(&error))
    }
}

impl FromRef<Arc<Shared>> for Access {
    fn from_ref(shared: &Arc<Shared>) -> Self {
        shared.access.clone()
    }
}
