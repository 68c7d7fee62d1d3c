//! Shows, pauses, resumes and stops a source.

use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{Sources, next_run, shown};
use crate::{
    server::{access::Visitor, intake::check_json, problem::Problem},
    sources::{LiveSource, Wished},
};

/// `GET /v1/streams/{id}`: a stream's source with its state. A stream that nobody started by its address has none, and
/// its page asks all the same.
pub(in crate::server) fn one(sources: &Sources, id: &str, visitor: &Visitor) -> Result<Response, Problem> {
    visitor.may(sources.app, id)?;
    sources.is_known()?;
    Ok(Json(json!({ "stream_id": id, "source": sources.of(sources.app, id) })).into_response())
}

pub(super) fn unknown() -> Problem {
    Problem::not_found("source of this stream", "POST /v1/streams with the stream's url; GET /v1/streams lists sources")
}

/// `POST /v1/streams/{id}/pause`, `/resume` and `/stop`.
pub(in crate::server) async fn change(
    sources: Arc<Sources>,
    id: String,
    wished: Wished,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let running = sources.running()?;
    // A page of another origin cannot send this type without asking first.
    check_json(&headers)?;
    visitor.may(sources.app, &id)?;
    let _changing = sources.changing.lock().await;
    let seen = running.view().get(&id).ok_or_else(unknown)?;
    // Resuming a stream that runs makes another attempt at once, also after a refusal or its end.
    let changes = wished == Wished::Running || seen.source.wished != wished;
    if changes {
        let run = if wished == Wished::Running { next_run(Some(&seen)) } else { seen.source.run };
        let source = LiveSource { wished, run, ..seen.source };
        sources.put(running, &id, Some(&source)).await?;
    }
    let seen = running.view().get(&id).ok_or_else(unknown)?;
    Ok((StatusCode::OK, Json(json!({ "stream_id": id, "source": shown::source(running, &seen) }))).into_response())
}
