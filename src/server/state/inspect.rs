//! The state of the applications: tasks, stores, lists of ids, metrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tidemill::{StoreKind, TaskId, TaskState};

use crate::{
    apps::App,
    server::{access::Visitor, engine::RunningApp, http::Shared, problem::Problem},
};

/// `GET /healthz`: fails if an application failed, so that the process can be restarted.
pub(in crate::server) async fn health(State(shared): State<Arc<Shared>>) -> Response {
    if shared.engine.has_failed() {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "failed" }))).into_response()
    } else {
        Json(json!({ "status": "ok" })).into_response()
    }
}

/// `GET /readyz`: whether every task runs that no other instance has.
pub(in crate::server) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let apps: BTreeMap<_, _> = shared.engine.apps().iter().map(|app| (app.app.id, progress(app))).collect();
    let ready = !shared.engine.has_failed() && apps.values().all(|(running, tasks)| running == tasks);
    let told = |(running, tasks): &(usize, usize)| json!({ "running": running, "tasks": tasks });
    let apps: BTreeMap<_, _> = apps.iter().map(|(id, counts)| (*id, told(counts))).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "apps": apps }))).into_response()
}

/// The number of running tasks here, and of tasks that should run here: those that no other instance has.
fn progress(app: &RunningApp) -> (usize, usize) {
    let status = app.streams.status();
    let running = status.iter().flat_map(|thread| &thread.tasks).filter(|task| task.state == TaskState::Running);
    let members = app.streams.metadata();
    let others = members.iter().filter(|member| !member.host.is_here);
    let elsewhere: BTreeSet<TaskId> = others.flat_map(|member| member.active_tasks.iter().copied()).collect();
    let here = app.streams.plan().tasks().into_iter().filter(|task| !elsewhere.contains(task));
    (running.count(), here.count())
}

/// `GET /state`
pub(in crate::server) async fn overview(State(shared): State<Arc<Shared>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let apps = shared.engine.apps().iter().map(|app| {
        let calls = app.calls();
        let (running, tasks) = progress(app);
        json!({
            "application": app.app.id,
            "state": format!("{:?}", app.streams.state()),
            "tasks": { "running": running, "all": tasks },
            "lag_records": shared.pressure.lag(app.app),
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
pub(in crate::server) async fn tasks(State(shared): State<Arc<Shared>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let mut shown = Vec::new();
    for app in shared.engine.apps() {
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
                    "partitions": partitions.collect::<Vec<_>>(),
                    "stores": task.stores.iter().map(|store| &store.name).collect::<Vec<_>>(),
                }));
            }
        }
    }
    Ok(Json(shown).into_response())
}

/// `GET /state/stores`
pub(in crate::server) async fn list_stores(State(shared): State<Arc<Shared>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let mut shown = Vec::new();
    for app in shared.engine.apps() {
        for (name, kind) in app.stores() {
            let kind = match kind {
                StoreKind::KeyValue => json!("key-value"),
                StoreKind::Window { retention_ms, .. } => json!({ "window": { "retention_ms": retention_ms } }),
            };
            shown.push(json!({ "application": app.app.id, "store": name, "kind": kind }));
        }
    }
    Ok(Json(shown).into_response())
}

/// Query parameters of a list of ids.
#[derive(Debug, Deserialize)]
pub(in crate::server) struct Page {
    /// Only ids after this id.
    after: Option<String>,
    limit: Option<usize>,
}

/// The default and the maximum length of a list of ids.
const LISTED: usize = 1_000;
const LISTED_MAX: usize = 10_000;

impl Shared {
    /// Ids that the visitor may see, in order, and whether there are more. Reads only keys, not values.
    fn owners(&self, app: App, Page { after, limit }: Page, visitor: &Visitor) -> (Vec<String>, bool) {
        let limit = limit.unwrap_or(LISTED).clamp(1, LISTED_MAX);
        let Some(running) = self.engine.app(app) else { return (Vec::new(), false) };
        let query = running.streams.key_value_store::<String, Bytes>(app.owners);
        let (mut keys, mut after) = (Vec::new(), after);
        loop {
            let page = query.page_of_keys(after.as_ref(), LISTED).unwrap_or_default();
            let is_last = page.len() < LISTED;
            after = page.last().cloned();
            keys.extend(page.into_iter().filter(|key| visitor.sees(app, key)));
            if keys.len() > limit || is_last {
                let more = keys.len() > limit;
                keys.truncate(limit);
                return (keys, more);
            }
        }
    }
}

/// `GET /v1/<owners>?after=ID&limit=N`: ids that the visitor may see, in order.
pub(in crate::server) async fn owners(shared: Arc<Shared>, app: App, page: Page, visitor: Visitor) -> Result<Response, Problem> {
    shared.running(app)?;
    let listed = tokio::task::spawn_blocking(move || shared.owners(app, page, &visitor)).await;
    let (ids, more) = listed.map_err(|error| Problem::internal(&error))?;
    let ids: Vec<_> = ids.into_iter().map(|id| json!({ app.owner.field: id })).collect();
    let what = app.owner.plural;
    Ok(Json(if more { json!({ what: ids, "more": true }) } else { json!({ what: ids }) }).into_response())
}

/// `GET /metrics`
pub(in crate::server) async fn metrics(State(shared): State<Arc<Shared>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let text = shared.metrics.render(&shared.engine, &shared.pressure).map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
