//! Erases a stream or a user: state through the topology, results by tombstones, raw records by deletion.

use std::{sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::json;
use tidemill::{
    Clock as _, SystemClock, partition_for,
    state::{Codec as _, Json},
    transport::{Headers, Offset, ProducerRecord, Topic, TopicPartition, Transport as _, TransportError},
};

use super::{
    access::Visitor, clips::Clipping, dead_letters::DeadLetters, engine::Engine, problem::Problem, results::Hub,
    scrub::Scrubber, sources::Sources,
};
use crate::apps::{App, Erased, Erasure};

/// How long an erasure waits for the topology.
const PATIENCE: Duration = Duration::from_secs(20);

/// Erases owners from the applications, their log and their results.
#[derive(Clone)]
pub(super) struct Eraser {
    pub(super) engine: Arc<Engine>,
    pub(super) hub: Arc<Hub>,
    pub(super) scrubber: Arc<Scrubber>,
    pub(super) dead_letters: Arc<DeadLetters>,
    pub(super) sources: Arc<Sources>,
    pub(super) clips: Arc<Clipping>,
}

/// `DELETE` of an owner.
pub(super) async fn owner(eraser: Eraser, app: App, id: String, visitor: Visitor) -> Result<Response, Problem> {
    eraser.engine.app(app)?;
    visitor.may(app, &id)?;
    // A connection that went on would bring the chat back.
    eraser.sources.forget(app, &id).await?;
    eraser.clips.forget(app, &id)?;
    // The erasure continues when the client disconnects: a partial erasure is not enough.
    let erased = tokio::task::spawn_blocking(move || eraser.forget(app, &id)).await;
    match erased {
        Ok(Ok(Some((Erased { rows, requests, .. }, results)))) => {
            let counts = json!({ "rows": rows, "requests": requests, "results": results });
            Ok((StatusCode::OK, axum::Json(json!({ "erased": counts }))).into_response())
        }
        Ok(Ok(None)) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the application did not finish the erasure in time",
            "send it again: erasing twice does no harm",
        )),
        Ok(Err(TransportError::Retriable(reason))) => {
            tracing::warn!(%reason, "erasing was interrupted");
            Err(Problem::log_unavailable("send it again: erasing twice does no harm"))
        }
        Ok(Err(error)) => Err(Problem::internal(&error)),
        Err(error) => Err(Problem::internal(&error)),
    }
}

impl Eraser {
    /// Erases a key. Blocks. Returns `None` if the topology takes too long.
    fn forget(&self, app: App, key: &str) -> Result<Option<(Erased, usize)>, TransportError> {
        let log = self.engine.log();
        let place = |topic: &str| -> Result<TopicPartition, TransportError> {
            let partition = partition_for(Some(key.as_bytes()), log.partitions(topic)?);
            Ok(TopicPartition::new(topic, partition))
        };
        let requested_ms = SystemClock.now_ms();
        let [erasures, erased] = app.erasure_topics().map(place);
        let (erasures, erased) = (erasures?, erased?);
        let partition = erasures.partition;
        // What is asked again must be on its way before the erasure, which then withdraws it.
        self.dead_letters.discard(app, partition)?;
        let from = log.read(|reader| reader.watermarks(&erased))?.high;
        for property in app.properties {
            log.append(vec![record(place(property.topic)?, key.to_owned(), None, requested_ms)])?;
        }
        let request = Json::<Erasure>::default().encode(&Erasure { requested_ms });
        let request = request.map_err(|error| TransportError::Invalid(error.to_string().into()))?.unwrap_or_default();
        log.append(vec![record(erasures, key.to_owned(), Some(request), requested_ms)])?;
        let Some(done) = self.wait_until_erased(&erased, from, key, requested_ms)? else {
            return Ok(None);
        };
        // From here on, no result of the erased data can follow.
        let results = self.hub.keys_of_results(app, key)?;
        let tombstone = |(topic, partition, result): &(&'static str, i32, Bytes)| {
            record(TopicPartition::new(*topic, *partition), result.clone(), None, requested_ms)
        };
        log.append(results.iter().map(tombstone).collect())?;
        self.drop_processed(app, partition)?;
        log.maintain()?;
        self.scrubber.ask();
        Ok(Some((done, results.len())))
    }

    fn wait_until_erased(
        &self,
        topic: &TopicPartition,
        mut from: Offset,
        key: &str,
        requested_ms: i64,
    ) -> Result<Option<Erased>, TransportError> {
        let mut reader = self.engine.log().transport().reader()?;
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            reader.assign(&[(topic.clone(), from)])?;
            for record in reader.read(Duration::from_millis(250), 100)?.into_iter().flat_map(|batch| batch.records) {
                from = record.offset + 1;
                let is_mine = record.key.as_deref() == Some(key.as_bytes());
                let Some(value) = record.value.filter(|_| is_mine) else { continue };
                match Json::<Erased>::default().decode(value) {
                    Ok(erased) if erased.requested_ms >= requested_ms => return Ok(Some(erased)),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Deletes the processed raw records, requests and responses of a partition. Records of other keys are deleted with
    /// them, a little earlier than their retention says.
    fn drop_processed(&self, app: App, partition: i32) -> Result<(), TransportError> {
        let log = self.engine.log();
        let calls = app.call_topics();
        let responses = calls.iter().map(|[_, responses]| responses.as_str());
        let inputs: Vec<Topic> = app.raw_topics().into_iter().chain(responses).map(Topic::from).collect();
        let mut lags = log.group_lag(app.id, &inputs)?;
        if let (Some(group), Some([requests, _])) = (app.executor_group(), &calls) {
            lags.extend(log.group_lag(&group, &[Topic::from(&**requests)])?);
        }
        let raw = app.raw_topics().into_iter().map(ToOwned::to_owned);
        let call_dead_letters = app.call_dead_letters();
        for topic in raw.chain(calls.into_iter().flatten()).chain(call_dead_letters.clone()) {
            let here = TopicPartition::new(topic.as_str(), partition);
            let processed = lags.iter().find(|lag| lag.partition == here);
            // Dead letters have no consumer group, so all of them are deleted.
            let before = match processed.and_then(|lag| lag.committed) {
                None if topic == app.dead_letters || Some(&topic) == call_dead_letters.as_ref() => {
                    Some(log.read(|reader| reader.watermarks(&here))?.high)
                }
                processed => processed,
            };
            if let Some(before) = before {
                log.delete_records(&here, before)?;
            }
        }
        Ok(())
    }
}

fn record(to: TopicPartition, key: impl Into<Bytes>, value: Option<Bytes>, timestamp: i64) -> ProducerRecord {
    let TopicPartition { topic, partition } = to;
    ProducerRecord { topic, partition, timestamp, key: Some(key.into()), value, headers: Headers::new() }
}
