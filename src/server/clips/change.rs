//! Cancels, repeats and deletes clips.

use axum::{
    Json,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};

use super::Clipping;
use crate::server::{access::Visitor, intake::check_json, problem::Problem};

/// What a client may do with a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Change {
    /// It is not made any more.
    Cancel,
    /// It is made again.
    Retry,
}

/// `POST /v1/streams/{id}/clips/{clip}/cancel` and `/retry`.
pub(in crate::server) fn change(
    clipping: &Clipping,
    [id, clip]: [&str; 2],
    change: Change,
    visitor: &Visitor,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    // A page of another origin cannot send this type without asking first.
    check_json(headers)?;
    visitor.may(clipping.app, id)?;
    let changed = match change {
        Change::Cancel => clipping.desk.cancel(id, clip),
        Change::Retry => clipping.desk.retry(id, clip),
    };
    Ok(Json(changed?).into_response())
}

/// `DELETE /v1/streams/{id}/clips/{clip}`: deletes a clip and its file, and stops making it.
pub(in crate::server) fn remove(
    clipping: &Clipping,
    id: &str,
    clip: &str,
    visitor: &Visitor,
) -> Result<Response, Problem> {
    visitor.may(clipping.app, id)?;
    clipping.desk.remove(id, clip)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
