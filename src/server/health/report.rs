//! Answers whether the applications run and are ready, and reports their metrics.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus::{Encoder as _, Registry, TextEncoder};
use serde_json::json;
use tidemill::{Clock as _, SystemClock};

use super::{calls::CallMetrics, gauges::Gauges};
use crate::server::{access::Visitor, engine::Engine, intake::Pressure, problem::Problem};

/// What the server reports about itself.
pub(in crate::server) struct Health {
    engine: Arc<Engine>,
    pressure: Arc<Pressure>,
    registry: Registry,
    applications: Gauges,
}

impl Health {
    /// Reports everything in the registry, too.
    pub(in crate::server) fn new(engine: Arc<Engine>, pressure: Arc<Pressure>, registry: Registry) -> Self {
        registry.register(Box::new(CallMetrics::new(engine.clone()))).expect("each name is registered once");
        Self { applications: Gauges::new(&registry), engine, pressure, registry }
    }

    fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        self.applications.read(&self.engine, &self.pressure);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// `GET /v1/time`: the clock that event times are checked against. Senders measure their own clocks by it.
pub(in crate::server) async fn time() -> Response {
    let now = Json(json!({ "now_ms": SystemClock.now_ms() }));
    ([(header::CACHE_CONTROL, "no-store")], now).into_response()
}

/// `GET /healthz`: fails if an application failed, so that the process can be restarted.
pub(in crate::server) async fn health(State(health): State<Arc<Health>>) -> Response {
    if health.engine.has_failed() {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "failed" }))).into_response()
    } else {
        Json(json!({ "status": "ok" })).into_response()
    }
}

/// `GET /readyz`: whether every task runs that no other instance has, and whether calls are made.
pub(in crate::server) async fn ready(State(health): State<Arc<Health>>) -> Response {
    let apps = health.engine.apps().iter();
    let calls_failed: Vec<_> = apps.clone().filter(|app| app.calls_have_failed()).map(|app| app.app.id).collect();
    let apps: BTreeMap<_, _> = apps.map(|app| (app.app.id, app.progress())).collect();
    let all_run = apps.values().all(|(running, tasks)| running == tasks);
    let ready = !health.engine.has_failed() && all_run && calls_failed.is_empty();
    let told = |(running, tasks): &(usize, usize)| json!({ "running": running, "tasks": tasks });
    let apps: BTreeMap<_, _> = apps.iter().map(|(id, counts)| (*id, told(counts))).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "apps": apps, "calls_failed": calls_failed }))).into_response()
}

/// `GET /metrics`
pub(in crate::server) async fn metrics(
    State(health): State<Arc<Health>>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let text = health.render().map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
