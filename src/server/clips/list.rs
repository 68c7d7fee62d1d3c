//! Lists clips.

use axum::{
    Json,
    http::HeaderValue,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tidemill_chat::Url;

use super::Clipping;
use crate::{
    apps::App,
    server::{access::Visitor, problem::Problem},
};

/// `GET /v1/streams/{id}/clips`: the clips of a stream on this instance, the newest first, and how they are kept. `problem`
/// is there if none can be asked for.
pub(in crate::server) fn list(clipping: &Clipping, id: &str, visitor: &Visitor) -> Result<Response, Problem> {
    visitor.may(clipping.app, id)?;
    clipping.engine.app(clipping.app)?;
    let desk = &clipping.desk;
    let settings = desk.settings();
    let source = clipping.sources.seen(id);
    let has_source = source.is_ok();
    let problem = source.err().or_else(|| desk.trouble().map(Problem::from));
    let shown = json!({
        "clips": desk.list(id),
        "has_source": has_source,
        "can_ask": problem.is_none(),
        "problem": problem.as_ref().map(|problem| serde_json::to_value(problem).unwrap_or(Value::Null)),
        "all": desk.wished(id),
        "keep_ms": settings.keep.as_millis() as i64,
        "quota_bytes": settings.quota_bytes,
        "used_bytes": desk.used_bytes(),
        "longest_ms": settings.longest_asked().as_millis() as i64,
        "lead_in_ms": settings.lead_in.as_millis() as i64,
    });
    Ok(Json(shown).into_response())
}

/// `GET /v1/streams/{id}/clips/{clip}`: one clip.
pub(in crate::server) fn one(
    clipping: &Clipping,
    id: &str,
    clip: &str,
    visitor: &Visitor,
) -> Result<Response, Problem> {
    visitor.may(clipping.app, id)?;
    Ok(Json(clipping.desk.one(id, clip)?).into_response())
}

/// The address of a clip.
pub(super) fn location(app: App, id: &str, clip: &str) -> Option<HeaderValue> {
    let mut url = Url::parse("http://localhost/v1/").ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend([app.owner.plural, id, "clips", clip]);
    HeaderValue::from_str(url.path()).ok()
}
