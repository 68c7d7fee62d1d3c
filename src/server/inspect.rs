//! What runs, and what it remembers: tasks, stores, single keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use tidemill_topology::{StoreKind, TaskId, TaskState};

use super::{App, access::Visitor, engine::RunningApp, forward::Shown, http::Server, problem::Problem};
use crate::apps::{form_coach, live_insight};

/// `GET /healthz`: whether this process should go on.
pub(super) async fn health(State(server): State<Arc<Server>>) -> Response {
    if server.engine.has_failed() {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "failed" }))).into_response()
    } else {
        Json(json!({ "status": "ok" })).into_response()
    }
}

/// `GET /readyz`: whether every task runs that other instances do not have.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response {
    let apps: BTreeMap<_, _> = server.engine.apps().iter().map(|app| (app.app.id(), progress(app))).collect();
    let ready = !server.engine.has_failed() && apps.values().all(|(running, tasks)| running == tasks);
    let told = |(running, tasks): &(usize, usize)| json!({ "running": running, "tasks": tasks });
    let apps: BTreeMap<_, _> = apps.iter().map(|(id, counts)| (*id, told(counts))).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "apps": apps }))).into_response()
}

/// Tasks that run here, and tasks that should: those that no other instance has.
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
pub(super) async fn overview(State(server): State<Arc<Server>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let apps = server.engine.apps().iter().map(|app| {
        let calls = app.calls();
        let (running, tasks) = progress(app);
        json!({
            "application": app.app.id(),
            "state": format!("{:?}", app.streams.state()),
            "tasks": { "running": running, "all": tasks },
            "lag_records": server.pressure.lag(app.app),
            "calls": {
                "attempts": calls.attempts, "succeeded": calls.succeeded, "failed": calls.failed,
                "in_flight": calls.in_flight, "waiting": calls.waiting,
            },
            "stores": stores(app).keys().collect::<Vec<_>>(),
            "topology": app.streams.plan().describe(),
        })
    });
    Ok(Json(apps.collect::<Vec<_>>()).into_response())
}

/// `GET /state/tasks`
pub(super) async fn tasks(State(server): State<Arc<Server>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let mut shown = Vec::new();
    for app in server.engine.apps() {
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
                    "application": app.app.id(),
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
pub(super) async fn list_stores(State(server): State<Arc<Server>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let mut shown = Vec::new();
    for app in server.engine.apps() {
        for (name, kind) in stores(app) {
            let kind = match kind {
                StoreKind::KeyValue => json!("key-value"),
                StoreKind::Window { retention_ms } => json!({ "window": { "retention_ms": retention_ms } }),
            };
            shown.push(json!({ "application": app.app.id(), "store": name, "kind": kind }));
        }
    }
    Ok(Json(shown).into_response())
}

/// Which ids a list has.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    /// Those after this one.
    after: Option<String>,
    limit: Option<usize>,
}

/// How many ids a list has if nobody says, and at most.
const LISTED: usize = 1_000;
const LISTED_MAX: usize = 10_000;

impl Server {
    /// Ids that the visitor may see, in order, and whether there are more. Values are not looked at.
    fn keys(&self, app: App, store: &str, Page { after, limit }: Page, visitor: &Visitor) -> (Vec<String>, bool) {
        let limit = limit.unwrap_or(LISTED).clamp(1, LISTED_MAX);
        let Some(running) = self.engine.app(app) else { return (Vec::new(), false) };
        let query = running.streams.key_value_store::<String, Shown>(store);
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

    async fn list(
        self: Arc<Self>,
        app: App,
        store: &'static str,
        page: Page,
        visitor: Visitor,
    ) -> Result<(Vec<String>, bool), Problem> {
        self.running(app)?;
        let listed = tokio::task::spawn_blocking(move || self.keys(app, store, page, &visitor)).await;
        listed.map_err(|error| Problem::internal(&error))
    }
}

/// `GET /v1/streams?after=ID&limit=N`: those that the visitor may see, in order.
pub(super) async fn streams(
    State(server): State<Arc<Server>>,
    Query(page): Query<Page>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let (keys, more) = server.list(App::Live, live_insight::TREND_STORE, page, visitor).await?;
    let streams: Vec<_> = keys.into_iter().map(|id| json!({ "stream_id": id })).collect();
    Ok(listed("streams", streams, more))
}

/// `GET /v1/users?after=ID&limit=N`: those that the visitor may see, in order.
pub(super) async fn users(
    State(server): State<Arc<Server>>,
    Query(page): Query<Page>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let (keys, more) = server.list(App::Coach, form_coach::PROGRESS_STORE, page, visitor).await?;
    let users: Vec<_> = keys.into_iter().map(|id| json!({ "user_id": id })).collect();
    Ok(listed("users", users, more))
}

/// A list; `more` is there where ids are left.
fn listed(what: &str, ids: Vec<serde_json::Value>, more: bool) -> Response {
    let body = if more { json!({ what: ids, "more": true }) } else { json!({ what: ids }) };
    Json(body).into_response()
}

/// Stores whose keys are ids and whose values are JSON, by name.
pub(super) fn stores(app: &RunningApp) -> BTreeMap<String, StoreKind> {
    let is_own = |name: &str| ["-pending", "-times"].iter().any(|kind| name.ends_with(kind));
    let specs = app.topology.stores().filter(|store| !is_own(&store.name));
    specs.map(|store| (store.name.to_string(), store.kind)).collect()
}
