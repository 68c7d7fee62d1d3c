//! Which path leads where.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::desk::{Desk, Request};
use crate::dialect::Dialect;
use crate::ledger::Bill;
use crate::refusal::Refusal;
use crate::schedule::Schedule;

type Shared = State<Arc<Desk>>;
type Words = Query<HashMap<String, String>>;

const BODY_LIMIT: usize = 20 << 20;

pub(crate) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1beta/models/{call}", post(gemini))
        .route("/v1/models/{call}", post(gemini))
        .route("/v1/projects/{project}/locations/{location}/publishers/google/models/{call}", post(vertex))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/models", get(models))
        .route("/stand-in/schedule", get(schedule).put(replace_schedule).patch(change_schedule))
        .route("/stand-in/calls", get(calls))
        .route("/stand-in/bill", get(bill))
        .fallback(async |uri: Uri| Dialect::OpenAi.refusal(&Refusal::NoPath(uri.path().to_owned())))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(desk)
}

async fn gemini(desk: Shared, Path(call): Path<String>, words: Words, headers: HeaderMap, body: Bytes) -> Response {
    let array = words.get("alt").is_none_or(|alt| alt != "sse");
    generate(desk, Dialect::Gemini { array }, &call, words, headers, body).await
}

async fn vertex(
    desk: Shared,
    Path((_, _, call)): Path<(String, String, String)>,
    words: Words,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let array = words.get("alt").is_none_or(|alt| alt != "sse");
    generate(desk, Dialect::Vertex { array }, &call, words, headers, body).await
}

/// `call` is the model, a colon, and what it is to do.
async fn generate(
    State(desk): Shared,
    dialect: Dialect,
    call: &str,
    Query(mut words): Words,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (model, stream) = match call.rsplit_once(':') {
        Some((model, "generateContent")) => (model, false),
        Some((model, "streamGenerateContent")) => (model, true),
        _ => return dialect.refusal(&Refusal::NoPath(call.to_owned())),
    };
    let key_in_address = words.remove("key");
    desk.answer(Request { dialect, headers, body, model: model.to_owned(), stream, key_in_address }).await
}

async fn chat(State(desk): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let model = String::new();
    desk.answer(Request { dialect: Dialect::OpenAi, headers, body, model, stream: false, key_in_address: None }).await
}

/// The models that exist. If any model does, those that were asked.
async fn models(State(desk): Shared) -> Json<Value> {
    let schedule = desk.schedule();
    let asked: Vec<String> = desk.book().bill().by_model.into_keys().filter(|model| !model.is_empty()).collect();
    let names = if schedule.models.is_empty() { &asked } else { &schedule.models };
    let model = |name: &String| json!({"id": name, "object": "model", "created": 0, "owned_by": "stand-in"});
    Json(json!({"object": "list", "data": names.iter().map(model).collect::<Vec<_>>()}))
}

async fn schedule(State(desk): Shared) -> Json<Schedule> {
    Json(Schedule::clone(&desk.schedule()))
}

/// The whole schedule: what is left out gets its default.
async fn replace_schedule(State(desk): Shared, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(value) => set(&desk, value),
        Err(error) => refused(&format!("The schedule is not JSON: {error}.")),
    }
}

/// Some fields of the schedule, as a JSON merge patch: what is left out stays, and `null` brings the default back.
async fn change_schedule(State(desk): Shared, body: Bytes) -> Response {
    let patch: Value = match serde_json::from_slice(&body) {
        Ok(patch) => patch,
        Err(error) => return refused(&format!("The change is not JSON: {error}.")),
    };
    let mut value = serde_json::to_value(&*desk.schedule()).unwrap_or_default();
    merge(&mut value, patch);
    set(&desk, value)
}

fn merge(value: &mut Value, patch: Value) {
    match (value, patch) {
        (Value::Object(fields), Value::Object(patch)) => {
            for (name, patch) in patch {
                if patch.is_null() {
                    fields.remove(&name);
                } else {
                    merge(fields.entry(name).or_insert(Value::Null), patch);
                }
            }
        }
        (value, patch) => *value = patch,
    }
}

fn set(desk: &Desk, value: Value) -> Response {
    let schedule: Schedule = match serde_json::from_value(value) {
        Ok(schedule) => schedule,
        Err(error) => return refused(&format!("The schedule cannot be used: {error}.")),
    };
    match schedule.check() {
        Ok(()) => {
            desk.set(schedule.clone());
            Json(schedule).into_response()
        }
        Err(problem) => refused(&problem),
    }
}

fn refused(problem: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": {"message": problem}}))).into_response()
}

/// Every call, one in a line.
async fn calls(State(desk): Shared) -> Response {
    let calls = desk.book().calls();
    let lines: String =
        calls.iter().filter_map(|call| serde_json::to_string(call).ok()).map(|line| line + "\n").collect();
    ([("content-type", "application/x-ndjson")], lines).into_response()
}

async fn bill(State(desk): Shared) -> Json<Bill> {
    Json(desk.book().bill())
}
