//! The tasks and stores of the applications.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tidemill::{
    StoreKind, TaskState,
    processor::{MetricValue, Recorded},
};

use super::inspector::Inspector;
use crate::server::{access::Visitor, problem::Problem};

/// `GET /state`
pub(in crate::server) async fn overview(
    State(inspector): State<Arc<Inspector>>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let apps = inspector.engine.apps().iter().map(|app| {
        let calls = app.calls().stats;
        let (running, tasks) = app.progress();
        json!({
            "application": app.app.id,
            "state": format!("{:?}", app.streams.state()),
            "tasks": { "running": running, "all": tasks },
            "lag_records": inspector.pressure.lag(app.app),
            "calls": {
                "attempts": calls.attempts, "succeeded": calls.succeeded, "failed": calls.failed,
                "in_flight": calls.in_flight, "waiting": calls.waiting,
            },
            "stores": app.stores().keys().collect::<Vec<_>>(),
            "topology": app.streams.plan().describe(),
        })
    });
    Ok(Json(apps.collect::<Vec<_>>()).into_response())
}

/// `GET /state/tasks`
pub(in crate::server) async fn tasks(
    State(inspector): State<Arc<Inspector>>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let mut shown = Vec::new();
    for app in inspector.engine.apps() {
        for thread in app.streams.status() {
            for task in &thread.tasks {
                let state = match &task.state {
                    TaskState::Restoring { remaining, total } => {
                        json!({ "restoring": { "remaining": remaining, "total": total } })
                    }
                    TaskState::Running => json!("running"),
                    TaskState::Standby { lag } => json!({ "standby": { "lag": lag } }),
                    TaskState::Failed { error } => json!({ "failed": error }),
                };
                let partitions = task.partitions.iter().map(|input| {
                    let partition = input.partition.to_string();
                    json!({
                        "partition": partition, "position": input.position, "buffered": input.buffered,
                        "waits_for": input.waits_for,
                    })
                });
                let dropped = task.records_dropped.iter().map(
                    |(operator, reason, count)| json!({ "operator": operator, "reason": reason, "records": count }),
                );
                let metrics = task.processor_metrics.iter().map(|metric| {
                    let value = match metric.value {
                        MetricValue::Counter(total) => json!({ "total": total }),
                        MetricValue::Gauge(value) => json!({ "value": value }),
                        MetricValue::Summary(Recorded { count, sum, min, max }) => {
                            json!({ "count": count, "sum": sum, "min": min, "max": max })
                        }
                    };
                    json!({ "processor": metric.processor, "metric": metric.name, "is": value })
                });
                let restore = task.restore.map(|restore| {
                    json!({
                        "records": restore.records, "bytes": restore.bytes,
                        "bytes_per_second": restore.bytes_per_second, "remaining_ms": restore.remaining_ms,
                    })
                });
                shown.push(json!({
                    "application": app.app.id,
                    "thread": thread.name,
                    "task": task.id.to_string(),
                    "state": state,
                    "restore": restore,
                    "stream_time_ms": task.stream_time_ms,
                    "records_processed": task.records_processed,
                    "records_dropped": dropped.collect::<Vec<_>>(),
                    "processor_metrics": metrics.collect::<Vec<_>>(),
                    "partitions": partitions.collect::<Vec<_>>(),
                    "stores": task.stores.iter().map(|store| &store.name).collect::<Vec<_>>(),
                }));
            }
        }
    }
    Ok(Json(shown).into_response())
}

/// `GET /state/stores`
pub(in crate::server) async fn list_stores(
    State(inspector): State<Arc<Inspector>>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let mut shown = Vec::new();
    for app in inspector.engine.apps() {
        for (name, kind) in app.stores() {
            let kind = match kind {
                StoreKind::KeyValue => json!("key-value"),
                StoreKind::Window { retention_ms, .. } => match kind.retention() {
                    Some(_) => json!({ "window": { "retention_ms": retention_ms } }),
                    None => json!({ "window": { "retention": "for ever" } }),
                },
                StoreKind::Session { retention_ms } => json!({ "session": { "retention_ms": retention_ms } }),
                StoreKind::Versioned { history_retention_ms } => {
                    json!({ "versioned": { "history_retention_ms": history_retention_ms } })
                }
            };
            shown.push(json!({ "application": app.app.id, "store": name, "kind": kind }));
        }
    }
    Ok(Json(shown).into_response())
}
