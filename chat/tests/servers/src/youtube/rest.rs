//! What is asked over REST.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Broadcast, Studio, YoutubeServer, item, page, turn};
use crate::{
    Fault,
    fuse::Fuse,
    generic::bearer,
    hall::{Hall, Refusal},
    moment::iso,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    id: Option<String>,
    for_handle: Option<String>,
    playlist_id: Option<String>,
    live_chat_id: Option<String>,
    page_token: Option<String>,
}

type Shared = State<Arc<Studio>>;

pub(super) async fn channels(State(studio): Shared, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    if let Err(refusal) = admit(&studio.hall, &headers) {
        return refusal;
    }
    let is_known = asked.for_handle.as_deref() == Some(YoutubeServer::HANDLE);
    let items: Vec<Value> = is_known.then(|| json!({ "id": YoutubeServer::CHANNEL })).into_iter().collect();
    answer(&json!({ "items": items }))
}

pub(super) async fn uploads(State(studio): Shared, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    if let Err(refusal) = admit(&studio.hall, &headers) {
        return refusal;
    }
    let list = YoutubeServer::CHANNEL.replacen("UC", "UU", 1);
    if asked.playlist_id != Some(list) {
        return refused(StatusCode::NOT_FOUND, "playlistNotFound");
    }
    let videos = ["video-0", YoutubeServer::VIDEO].map(|id| json!({ "contentDetails": { "videoId": id } }));
    answer(&json!({ "items": videos }))
}

pub(super) async fn videos(State(studio): Shared, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    if let Err(refusal) = admit(&studio.hall, &headers) {
        return refusal;
    }
    let ids = asked.id.unwrap_or_default();
    let videos = ids.split(',').filter_map(|id| match id {
        "video-0" => Some(json!({ "id": id, "snippet": { "liveBroadcastContent": "none" } })),
        YoutubeServer::VIDEO => {
            let (content, details) = match studio.broadcast() {
                Broadcast::Upcoming(ms) => ("upcoming", json!({ "scheduledStartTime": iso(ms) })),
                Broadcast::Live => {
                    ("live", json!({ "actualStartTime": iso(0), "activeLiveChatId": YoutubeServer::CHAT }))
                }
                Broadcast::WithoutChat => ("live", json!({ "actualStartTime": iso(0) })),
                Broadcast::Over => ("none", json!({ "actualStartTime": iso(0), "actualEndTime": iso(1) })),
            };
            let snippet = json!({ "liveBroadcastContent": content, "title": "Ada plays" });
            Some(json!({ "id": id, "snippet": snippet, "liveStreamingDetails": details }))
        }
        _ => None,
    });
    answer(&json!({ "items": videos.collect::<Vec<_>>() }))
}

pub(super) async fn messages(
    State(studio): Shared,
    ConnectInfo(fuse): ConnectInfo<Fuse>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let hall = &studio.hall;
    let request = match admit(hall, &headers) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    if asked.live_chat_id.as_deref() != Some(YoutubeServer::CHAT) {
        return refused(StatusCode::NOT_FOUND, "liveChatNotFound");
    }
    let Ok(from) = page(hall, asked.page_token.as_deref()) else {
        return refused(StatusCode::BAD_REQUEST, "pageTokenInvalid");
    };
    let (lines, next, last) = turn(hall, from);
    let items: Vec<Value> = lines.iter().map(|line| item::json(hall, line)).collect();
    let offline = last.then(|| iso(hall.schedule.skew_ms));
    let pause_ms = hall.schedule.pause_ms;
    let body = json!({
        "kind": "youtube#liveChatMessageListResponse",
        "nextPageToken": format!("page-{next}"),
        "pollingIntervalMillis": pause_ms,
        "offlineAt": offline,
        "items": items,
    });
    let body = body.to_string();
    let whole = !hall.strikes(Fault::Cut);
    if !whole {
        fuse.burn_after(100 + body.len() / 2);
    }
    for line in &lines {
        hall.sent(request, &line.id, whole);
    }
    ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

/// The token that a request shows: an API key or an OAuth token.
pub(super) fn credential(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-goog-api-key").and_then(|key| key.to_str().ok()).or_else(|| bearer(headers))
}

// The refusal is the answer.
#[allow(clippy::result_large_err)]
fn admit(hall: &Hall, headers: &HeaderMap) -> Result<u64, Response> {
    hall.admit(credential(headers)).map_err(|refusal| match refusal {
        Refusal::Unavailable => refused(StatusCode::SERVICE_UNAVAILABLE, "backendError"),
        Refusal::RateLimited => refused(StatusCode::FORBIDDEN, "rateLimitExceeded"),
        Refusal::Unauthorised => refused(StatusCode::UNAUTHORIZED, "authError"),
    })
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(value.to_string())).into_response()
}

fn refused(status: StatusCode, reason: &str) -> Response {
    let errors = json!([{ "domain": "youtube", "reason": reason, "message": reason }]);
    let body = json!({ "error": { "code": status.as_u16(), "message": reason, "errors": errors } });
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body.to_string())).into_response()
}
