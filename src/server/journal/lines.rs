//! Brings requests and answers together.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde_json::{Value, json};
use tidemill::{
    CallFailure, CallResponse,
    transport::{ConsumedRecord, TopicPartition, TransportError},
};

use super::keeper::{asked_from, asked_ms};
use crate::{
    apps::{App, shown_content, shown_key},
    server::{engine::Engine, log::scan},
};

/// A request, and its answer.
pub(super) type Answered = (ConsumedRecord, CallResponse);

/// The newest answered calls of a partition, at most `most`, in the order of their requests.
pub(super) fn of_partition(
    engine: &Engine,
    app: App,
    [requests, responses]: &[String; 2],
    partition: i32,
    most: usize,
) -> Result<Vec<Answered>, TransportError> {
    let log = engine.log();
    let from_ms = asked_from(log, app, partition, engine.settings().keep_calls)?;
    let place = |topic: &String| TopicPartition::new(topic.as_str(), partition);
    let mut answers = HashMap::new();
    log.read(|reader| {
        scan(reader, &place(responses), 0, |record| {
            if asked_ms(&record) >= from_ms
                && let Some(answer) = CallResponse::of_response(&record)
            {
                // The first answer counts.
                answers.entry(answer.request.id.clone()).or_insert(answer);
            }
            true
        })
    })?;
    let mut found = Vec::new();
    log.read(|reader| {
        let marks = reader.watermarks(&place(requests))?;
        // Not every request has an answer, and not every offset has a request. So the look back becomes longer until it
        // finds enough.
        let mut span = i64::try_from(most).unwrap_or(i64::MAX);
        loop {
            found.clear();
            let mut told = HashSet::new();
            let from = marks.high.saturating_sub(span).max(marks.low);
            scan(reader, &place(requests), from, |record| {
                let id = record.key.clone().filter(|id| answers.contains_key(id));
                if id.is_some_and(|id| told.insert(id)) {
                    found.push(record);
                }
                true
            })?;
            if found.len() >= most || from <= marks.low {
                return Ok(());
            }
            span = span.saturating_mul(4);
        }
    })?;
    let newest = found.into_iter().rev().take(most);
    let mut calls: Vec<_> =
        newest.filter_map(|request| answers.remove(request.key.as_ref()?).map(|answer| (request, answer))).collect();
    calls.reverse();
    Ok(calls)
}

/// A call as one JSON line.
pub(super) fn line(partition: i32, request: &ConsumedRecord, answer: &CallResponse) -> Bytes {
    let mut line = json!({
        "id": format!("{partition}-{}", request.offset),
        "key": shown_key(&answer.request.key),
        "asked_ms": answer.request.asked_ms,
        "request": request.value.as_ref().map(shown_content),
        "report": answer.report,
    });
    match &answer.outcome {
        Ok(response) => line["response"] = response.as_ref().map_or(Value::Null, shown_content),
        Err(CallFailure { kind, message, attempts }) => {
            line["failure"] = json!({ "kind": kind.to_string(), "message": message, "attempts": attempts });
        }
    }
    Bytes::from(format!("{line}\n"))
}
