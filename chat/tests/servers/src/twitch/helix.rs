//! Twitch's API.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Studio, TwitchServer};
use crate::{
    generic::bearer,
    hall::{Hall, Refusal},
};

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    login: Option<String>,
}

type Shared = State<Arc<Studio>>;

pub(super) async fn validate(State(studio): Shared, headers: HeaderMap) -> Response {
    if let Err(refusal) = admit(&studio.hall, &headers) {
        return refusal;
    }
    let scopes = ["user:read:chat"];
    Json(json!({ "client_id": "client-1", "login": "reader", "user_id": TwitchServer::READER, "scopes": scopes, "expires_in": 5_000 }))
        .into_response()
}

pub(super) async fn users(State(studio): Shared, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    if let Err(refusal) = admit(&studio.hall, &headers) {
        return refusal;
    }
    let is_known = asked.login.as_deref() == Some(TwitchServer::CHANNEL);
    let data = is_known.then(|| json!({ "id": TwitchServer::BROADCASTER, "login": TwitchServer::CHANNEL }));
    Json(json!({ "data": data.into_iter().collect::<Vec<_>>() })).into_response()
}

pub(super) async fn streams(State(studio): Shared, headers: HeaderMap) -> Response {
    if let Err(refusal) = admit(&studio.hall, &headers) {
        return refusal;
    }
    let data = studio.is_live.load(Ordering::SeqCst).then(|| json!({ "type": "live" }));
    Json(json!({ "data": data.into_iter().collect::<Vec<_>>() })).into_response()
}

pub(super) async fn subscribe(State(studio): Shared, headers: HeaderMap, Json(asked): Json<Value>) -> Response {
    if let Err(refusal) = admit(&studio.hall, &headers) {
        return refusal;
    }
    let text = |path: &str| asked.pointer(path).and_then(Value::as_str);
    let is_chat = text("/type").is_some_and(|kind| kind.starts_with("channel.chat."));
    let is_right = text("/condition/broadcaster_user_id") == Some(TwitchServer::BROADCASTER)
        && text("/transport/method") == Some("websocket")
        && (!is_chat || text("/condition/user_id") == Some(TwitchServer::READER));
    match text("/transport/session_id") {
        Some(session) if is_right => {
            if is_chat && !studio.may_read.load(Ordering::SeqCst) {
                return refused(StatusCode::FORBIDDEN);
            }
            if text("/type") == Some("channel.chat.message") {
                studio.podium.subscribe(session);
            }
            (StatusCode::ACCEPTED, Json(json!({ "data": [{ "status": "enabled" }] }))).into_response()
        }
        _ => refused(StatusCode::BAD_REQUEST),
    }
}

// The refusal is the answer.
#[allow(clippy::result_large_err)]
fn admit(hall: &Hall, headers: &HeaderMap) -> Result<u64, Response> {
    hall.admit(bearer(headers)).map_err(|refusal| match refusal {
        Refusal::Unavailable => refused(StatusCode::SERVICE_UNAVAILABLE),
        Refusal::RateLimited => {
            let seconds = hall.schedule.retry_after_s.to_string();
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds)]).into_response()
        }
        Refusal::Unauthorised => refused(StatusCode::UNAUTHORIZED),
    })
}

fn refused(status: StatusCode) -> Response {
    let message = status.canonical_reason();
    (status, Json(json!({ "error": message, "status": status.as_u16(), "message": message }))).into_response()
}
