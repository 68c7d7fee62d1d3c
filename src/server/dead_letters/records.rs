//! The addresses of records that an application could not process.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill::{
    dead_letters::{DeadLetter, DeadLetterFilter, DeadLetterId, DeadLetters as Records, Replay, ReplayError},
    transport::TransportError,
};

use super::{
    again::DeadLetters,
    handlers::{BODY_BYTES, LISTED, LISTED_MAX, named},
};
use crate::{
    apps::{shown_content, shown_key},
    server::{
        access::Visitor,
        address::{Path, Query, whole},
        intake::check_json,
        problem::Problem,
    },
};

/// Which records are meant. The fields are those of [`DeadLetterFilter`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Chosen {
    topic: Option<String>,
    operator: Option<String>,
    error: Option<String>,
    key: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    /// Of a list: whether records that were replayed are shown, too. Of a replay: whether all chosen ones are replayed.
    #[serde(default)]
    all: bool,
    /// Of a list: the most records, and whether their values are shown.
    #[serde(default, deserialize_with = "whole")]
    limit: Option<usize>,
    #[serde(default)]
    content: bool,
    /// Of a replay: the records, and whether nothing is written.
    #[serde(default)]
    ids: Option<Vec<String>>,
    #[serde(default)]
    dry_run: bool,
}

impl Chosen {
    fn filter(&self) -> DeadLetterFilter {
        DeadLetterFilter {
            from_topic: self.topic.clone(),
            operator: self.operator.clone(),
            error: self.error.clone(),
            key: self.key.clone().map(Into::into),
            from_ms: self.from,
            to_ms: self.to,
            ..DeadLetterFilter::default()
        }
    }
}

const WANTED: &str = "send {\"ids\": [\"TOPIC/PARTITION/OFFSET\"]} with ids of the list, or {\"all\": true}, which also \
                      takes topic, operator, error, key, from and to";

/// `GET /state/dead-records/{application}`
pub(in crate::server) async fn list(
    State(dead): State<Arc<DeadLetters>>,
    Path(application): Path<String>,
    Query(chosen): Query<Chosen>,
    visitor: Visitor,
) -> Result<Json<Value>, Problem> {
    visitor.may_inspect()?;
    let records = records(&dead, &application)?;
    if chosen.limit == Some(0) || chosen.ids.is_some() || chosen.dry_run {
        let problem = format!("limit must be from 1 to {LISTED_MAX}, and a list takes neither ids nor dry_run");
        return Err(Problem::wrong(problem, "correct the values, or leave them out"));
    }
    let limit = chosen.limit.unwrap_or(LISTED).min(LISTED_MAX);
    let filter = DeadLetterFilter { with_replayed: chosen.all, limit: Some(limit + 1), ..chosen.filter() };
    let listed = tokio::task::spawn_blocking(move || records.list(&filter).map_err(ReplayError::from));
    let mut listed = finished(listed.await)?;
    let more = listed.len() > limit;
    listed.truncate(limit);
    let shown: Vec<_> = listed.iter().map(|letter| shown(letter, chosen.content)).collect();
    Ok(Json(if more { json!({ "dead_records": shown, "more": true }) } else { json!({ "dead_records": shown }) }))
}

fn shown(letter: &DeadLetter, content: bool) -> Value {
    let from = letter.from.as_ref().map(
        |from| json!({ "topic": *from.partition.topic, "partition": from.partition.partition, "offset": from.offset }),
    );
    let mut shown = json!({
        "id": letter.id.to_string(),
        "from": from,
        "operator": letter.operator,
        "origin": letter.origin,
        "error": letter.error,
        "key": letter.key.as_ref().map(shown_key),
        "timestamp": letter.timestamp,
        "bytes": letter.value.as_ref().map_or(0, bytes::Bytes::len),
        "replayed": letter.replayed,
        "replay_of": letter.replay_of.as_ref().map(ToString::to_string),
    });
    if content {
        shown["value"] = letter.value.as_ref().map_or(Value::Null, shown_content);
    }
    shown
}

/// `POST /state/dead-records/{application}/replay`
pub(in crate::server) async fn replay(
    State(dead): State<Arc<DeadLetters>>,
    Path(application): Path<String>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    visitor.may_inspect()?;
    let records = records(&dead, &application)?;
    check_json(&headers)?;
    let body = to_bytes(body, BODY_BYTES).await.map_err(|_| {
        let fix = "send fewer ids at once, or {\"all\": true}";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {BODY_BYTES} bytes"), fix)
    })?;
    let chosen: Chosen = serde_json::from_slice(&body)
        .map_err(|error| Problem::wrong(format!("the body cannot be read: {error}"), WANTED))?;
    let ids = match (&chosen.ids, chosen.all) {
        (None, true) => None,
        (Some(ids), false) if !ids.is_empty() && chosen.filter() == DeadLetterFilter::default() => {
            let ids = ids.iter().map(|id| id.parse::<DeadLetterId>()).collect::<Result<Vec<_>, _>>();
            Some(ids.map_err(|error| Problem::wrong(error.to_string(), "GET the list: it shows the ids"))?)
        }
        _ => return Err(Problem::wrong("the body names no records, or both ids and others", WANTED)),
    };
    let (filter, is_dry) = (chosen.filter(), chosen.dry_run);
    let replayed = tokio::task::spawn_blocking(move || {
        let ids = match ids {
            Some(ids) => ids,
            None => records.list(&filter)?.into_iter().map(|letter| letter.id).collect(),
        };
        if is_dry { records.dry_run(&ids) } else { records.replay(&ids) }
    });
    let Replay { replayed, replayed_before, not_possible } = finished(replayed.await)?;
    let texts = |ids: &[DeadLetterId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let not_possible: Vec<_> =
        not_possible.iter().map(|(id, why)| json!({ "id": id.to_string(), "why": why })).collect();
    Ok(Json(json!({
        "dry_run": is_dry,
        "replayed": texts(&replayed),
        "replayed_before": texts(&replayed_before),
        "not_possible": not_possible,
    })))
}

fn records(dead: &DeadLetters, application: &str) -> Result<Records, Problem> {
    let app = named(&dead.engine, application)?;
    Ok(Records::new(dead.engine.log().transport(), app.id, [app.dead_letters]))
}

fn finished<T>(ended: Result<Result<T, ReplayError>, tokio::task::JoinError>) -> Result<T, Problem> {
    match ended.map_err(|error| Problem::internal(&error))? {
        Ok(found) => Ok(found),
        Err(ReplayError::Unknown(ids)) => {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            let fix = "GET /state/dead-records/{application} lists them; nothing was replayed";
            Err(Problem::not_found(&format!("dead record {}", ids.join(", ")), fix))
        }
        Err(ReplayError::Transport(
            TransportError::Retriable(reason) | TransportError::Fenced(reason) | TransportError::Abort(reason),
        )) => {
            tracing::warn!(%reason, "dead records cannot be read or replayed at the moment");
            Err(Problem::log_unavailable("send it again: nothing is replayed twice"))
        }
        Err(error) => Err(Problem::internal(&error)),
    }
}
