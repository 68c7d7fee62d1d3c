//! The addresses of dead letters.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill::transport::{ConsumedRecord, TransportError};

use super::{
    again::{Asked, DeadLetters, Which},
    closed,
    letters::{LetterId, Letters},
};
use crate::{
    apps::{App, shown_content, shown_key},
    server::{
        access::Visitor,
        address::{Path, Query, whole},
        engine::Engine,
        intake::check_json,
        problem::Problem,
    },
};

/// The default and the maximum length of a list.
pub(super) const LISTED: usize = 100;
pub(super) const LISTED_MAX: usize = 1_000;
/// The longest body: about a thousand ids.
pub(super) const BODY_BYTES: usize = 64 << 10;

/// Values behind the question mark of a list.
#[derive(Debug, Default, Deserialize)]
pub(in crate::server) struct Page {
    /// Only dead letters behind this id.
    after: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<usize>,
    /// Whether the requests are shown, too.
    #[serde(default)]
    content: bool,
    /// Whether dead letters that were asked again are shown, too.
    #[serde(default)]
    all: bool,
}

/// The body of a request to ask again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    ids: Option<Vec<String>>,
    #[serde(default)]
    all: bool,
}

const WANTED: &str = "send {\"ids\": [\"0-17\"]} with ids of the list, or {\"all\": true}";

/// `GET /state/dead-letters/{application}`
pub(in crate::server) async fn list(
    State(dead): State<Arc<DeadLetters>>,
    Path(application): Path<String>,
    Query(page): Query<Page>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let app = named(&dead.engine, &application)?;
    if page.limit == Some(0) {
        let problem = format!("limit must be from 1 to {LISTED_MAX}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, problem, "correct the value, or leave it out"));
    }
    let after = page.after.as_deref().map(id).transpose()?;
    let listed = tokio::task::spawn_blocking(move || {
        let letters = Letters::of(dead.engine.log(), app).ok_or(None)?;
        show(&letters, after, &page).map_err(Some)
    });
    let (shown, more) = finished(listed.await, app)?;
    Ok(Json(if more { json!({ "dead_letters": shown, "more": true }) } else { json!({ "dead_letters": shown }) })
        .into_response())
}

fn show(letters: &Letters<'_>, after: Option<LetterId>, page: &Page) -> Result<(Vec<Value>, bool), TransportError> {
    let limit = page.limit.unwrap_or(LISTED).min(LISTED_MAX);
    let asked = letters.asked_again()?;
    let (mut shown, mut more) = (Vec::new(), false);
    letters.scan(after, |id, letter| {
        let is_asked = asked.contains(&id);
        if is_asked && !page.all {
            return true;
        }
        more = shown.len() == limit;
        if !more {
            shown.push(shown_letter(id, &letter, is_asked, page.content));
        }
        !more
    })?;
    Ok((shown, more))
}

fn shown_letter(id: LetterId, letter: &ConsumedRecord, is_asked: bool, content: bool) -> Value {
    let header = |name: &str| {
        let value = letter.headers.last(&format!("tidemill.dead-letter.{name}"));
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let request = letter.value.clone().unwrap_or_default();
    let mut shown = json!({
        "id": id.to_string(),
        "key": letter.key.as_ref().map(shown_key),
        "kind": header("kind"),
        "message": header("message"),
        "attempts": header("attempts").and_then(|attempts| attempts.parse::<u32>().ok()),
        "timestamp": letter.timestamp,
        "bytes": request.len(),
        "asked_again": is_asked,
    });
    if content {
        shown["request"] = shown_content(&request);
    }
    shown
}

/// `POST /state/dead-letters/{application}/replay`
pub(in crate::server) async fn replay(
    State(dead): State<Arc<DeadLetters>>,
    Path(application): Path<String>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let app = named(&dead.engine, &application)?;
    check_json(&headers)?;
    let body = to_bytes(body, BODY_BYTES).await.map_err(|_| {
        let fix = "send fewer ids at once, or {\"all\": true}";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {BODY_BYTES} bytes"), fix)
    })?;
    let which = wanted(&body)?;
    closed::check(&dead.engine.app(app)?.calls())?;
    let asked = tokio::task::spawn_blocking(move || {
        let letters = Letters::of(dead.engine.log(), app).ok_or(None)?;
        dead.ask(&letters, which).map_err(Some)
    });
    match finished(asked.await, app)? {
        Asked::Done { now, before } => Ok(Json(json!({ "asked_again": now, "asked_before": before })).into_response()),
        Asked::Unknown(ids) => {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            let fix = format!("GET /state/dead-letters/{} lists them; nothing was asked again", app.id);
            Err(Problem::not_found(&format!("dead letter {}", ids.join(", ")), &fix))
        }
    }
}

fn wanted(body: &[u8]) -> Result<Which, Problem> {
    let wrong = |problem: String| Problem::new(StatusCode::BAD_REQUEST, problem, WANTED);
    let wanted: Wanted =
        serde_json::from_slice(body).map_err(|error| wrong(format!("the body cannot be read: {error}")))?;
    match wanted {
        Wanted { ids: None, all: true } => Ok(Which::All),
        Wanted { ids: Some(ids), all: false } if !ids.is_empty() => {
            Ok(Which::These(ids.iter().map(|text| id(text)).collect::<Result<BTreeSet<_>, _>>()?))
        }
        _ => Err(wrong("the body names no dead letters, or both some and all".to_owned())),
    }
}

fn id(text: &str) -> Result<LetterId, Problem> {
    text.parse().map_err(|()| {
        let problem = format!("'{text}' is not the id of a dead letter");
        Problem::new(StatusCode::BAD_REQUEST, problem, "write PARTITION-OFFSET, for example 0-17, as the list does")
    })
}

/// The application with an id, if it runs here.
pub(super) fn named(engine: &Engine, id: &str) -> Result<App, Problem> {
    let known = engine.settings().known();
    let app = known.into_iter().find(|app| app.id == id);
    let app = app.ok_or_else(|| Problem::not_found("such application", "GET /state lists those that run here"))?;
    engine.app(app)?;
    Ok(app)
}

/// What a blocking task found. `None` as its error says that the application makes no calls.
fn finished<T>(
    ended: Result<Result<T, Option<TransportError>>, tokio::task::JoinError>,
    app: App,
) -> Result<T, Problem> {
    match ended.map_err(|error| Problem::internal(&error))? {
        Ok(found) => Ok(found),
        Err(None) => {
            Err(Problem::not_found(&format!("dead letter of a call: {} makes no calls", app.id), "name another one"))
        }
        Err(Some(
            TransportError::Retriable(reason) | TransportError::Fenced(reason) | TransportError::Abort(reason),
        )) => {
            tracing::warn!(%reason, "dead letters cannot be read or asked again at the moment");
            Err(Problem::log_unavailable("send it again: nothing is asked twice"))
        }
        Err(Some(error)) => Err(Problem::internal(&error)),
    }
}
