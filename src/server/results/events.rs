//! Results as server-sent events.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures_util::StreamExt as _;

use super::follower::{Followed, Follower, Options, Results};
use crate::{
    apps::App,
    server::{access::Visitor, problem::Problem},
};

/// `GET` of an owner's late events in the last minute.
pub(in crate::server) fn late_of_owner(
    results: &Results,
    app: App,
    key: &str,
    visitor: &Visitor,
) -> Result<Response, Problem> {
    results.engine.app(app)?;
    visitor.may(app, key)?;
    Ok(axum::Json(serde_json::json!({ "late": results.late.of(app, key, None, Instant::now()) })).into_response())
}

/// `GET` of an owner's events.
pub(in crate::server) fn of_owner(
    results: Arc<Results>,
    app: App,
    key: String,
    visitor: &Visitor,
    options: Options,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let follower = Follower::open(results, app, key, visitor, options, headers)?;
    let events = follower.stream().map(|followed| Ok::<_, Infallible>(sse_event(&followed)));
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // A proxy that buffers responses would delay results.
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    Ok(response)
}

fn sse_event(Followed { id, name, data }: &Followed) -> sse::Event {
    let event = sse::Event::default().event(name).data(String::from_utf8_lossy(data));
    // Without an id, the page's place in the results stays.
    match id {
        Some(id) => event.id(id),
        None => event,
    }
}
