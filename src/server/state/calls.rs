//! The model calls of the applications.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tidemill::{BreakerState, CallSnapshot, CallStats, Clock as _, LimitUse, RouteSnapshot, SystemClock};

use super::inspector::Inspector;
use crate::server::{access::Visitor, problem::Problem};

/// `GET /state/calls`
pub(in crate::server) async fn calls(
    State(inspector): State<Arc<Inspector>>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let apps = inspector.engine.apps().iter().filter(|app| app.app.calls.is_some());
    let shown: Vec<_> = apps.map(|app| of_app(app.app.id, &app.calls())).collect();
    Ok(Json(shown).into_response())
}

fn of_app(app: &str, snapshot: &CallSnapshot) -> Value {
    let CallSnapshot { stats, routes, waiting, oldest_waiting_ms, spending, limits, failures, malformed } = snapshot;
    let waiting: Vec<_> =
        waiting.iter().map(|(tenant, requests)| json!({ "tenant": tenant, "requests": requests })).collect();
    json!({
        "application": app,
        "now_ms": SystemClock.now_ms(),
        "stats": stats,
        "latency_bounds_ms": CallStats::LATENCY_MS,
        "waiting": waiting,
        "oldest_waiting_ms": oldest_waiting_ms,
        "routes": routes.iter().map(route).collect::<Vec<_>>(),
        "spending": spending,
        "limits": limits.iter().map(limit).collect::<Vec<_>>(),
        "failures": failures,
        "malformed_ledger_records": malformed,
    })
}

fn route(route: &RouteSnapshot) -> Value {
    let tried_again_ms = match route.breaker {
        Some(BreakerState::Open { until_ms }) => Some((until_ms - SystemClock.monotonic_ms()).max(0)),
        _ => None,
    };
    json!({
        "name": route.name,
        "breaker": route.breaker.map(BreakerState::label),
        "tried_again_in_ms": tried_again_ms,
        "opened": route.opened,
        "in_flight": route.in_flight,
        "latency_ms": route.latency_ms,
        "last_answer_ago_ms": route.last_answer_ago_ms,
        "succeeded": route.succeeded,
    })
}

fn limit(limit: &LimitUse) -> Value {
    let mut shown = json!(limit);
    shown["left"] = json!(limit.left());
    shown
}
