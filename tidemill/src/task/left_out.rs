//! What is left out, and dead letters: the unchanged record with headers that tell what happened.

use super::TaskSettings;
use crate::{
    error::Position,
    graph::NodeId,
    handlers::{ErrorOrigin, ErrorRecord, RecordHandler},
    operators::{BadRecord, DropReason, Failure, TaskContext, Verdict},
    partitioner::{partition_for, partition_of_origin},
    transport::{ConsumedRecord, ProducerRecord, Topic, TopicPartition},
};

/// The dead letter to write, if there is one; an error if the failure does not pass.
type LeftOut = Result<Option<ProducerRecord>, Box<Failure>>;

/// Decides about a record or punctuation for which an operator returned an error. Its effects are undone already.
pub(super) fn leave_out(
    settings: &TaskSettings,
    ctx: &mut TaskContext,
    failure: Box<Failure>,
    origin: ErrorOrigin,
    record: Option<ErrorRecord>,
) -> LeftOut {
    let is_refused = matches!(*failure, Failure::Refused(_));
    let origin = if is_refused { ErrorOrigin::Production } else { origin };
    let (reason, node) = (failure.to_string(), ctx.node);
    let verdict = ctx.judge(failure, origin, node, record.as_ref())?;
    let position = record.as_ref().map(|record| record.position.to_string()).unwrap_or_default();
    tracing::warn!(task = %ctx.rules.task, at = %position, %reason, "left out");
    ctx.count_dropped(node, if is_refused { DropReason::Refused } else { DropReason::Processing });
    letter(settings, verdict, record, node, origin, &reason)
}

/// Decides about a record that a source cannot read.
pub(super) fn leave_out_bad(
    settings: &TaskSettings,
    ctx: &mut TaskContext,
    bad: BadRecord,
    node: NodeId,
    record: ErrorRecord,
) -> LeftOut {
    let (origin, reason) = (ErrorOrigin::Deserialization, bad.to_string());
    let (verdict, dropped) = match bad {
        // A record without a valid timestamp is skipped and counted, as in Kafka Streams.
        BadRecord::InvalidTimestamp(_) => {
            let verdict = match &settings.deserialization {
                RecordHandler::DeadLetter(topic) => Verdict::DeadLetter(topic.clone()),
                RecordHandler::Fail | RecordHandler::Skip | RecordHandler::Custom(_) => Verdict::LeftOut,
            };
            (verdict, DropReason::InvalidTimestamp)
        }
        bad => {
            let dropped = match &bad {
                BadRecord::ImplausibleTimestamp(_) => DropReason::ImplausibleTimestamp,
                BadRecord::Undecodable(_) | BadRecord::InvalidTimestamp(_) => DropReason::Undecodable,
            };
            (ctx.judge(Failure::of_user(bad), origin, node, Some(&record))?, dropped)
        }
    };
    ctx.count_dropped(node, dropped);
    tracing::warn!(task = %ctx.rules.task, record = %record.position, %reason, "record left out");
    letter(settings, verdict, Some(record), node, origin, &reason)
}

fn letter(
    settings: &TaskSettings,
    verdict: Verdict,
    record: Option<ErrorRecord>,
    node: NodeId,
    origin: ErrorOrigin,
    reason: &str,
) -> LeftOut {
    let (Verdict::DeadLetter(topic), Some(record)) = (verdict, record) else { return Ok(None) };
    if *record.position.partition.topic == *topic {
        return Err(Failure::decided(format!(
            "the record is from the dead-letter topic '{topic}' itself: there it would fail again without end. Send dead \
             letters to another topic than the one that is read. Its error: {reason}"
        )));
    }
    let TaskSettings { plan, dead_letter_partitions, limits, .. } = settings;
    let partitions = dead_letter_partitions.get(&topic).copied().unwrap_or(1);
    let (application, operator) = (plan.application_id(), &*plan.graph().node(node).name);
    let letter =
        dead_letter(topic.as_str().into(), partitions, record, &Cause { application, operator, origin, reason });
    let limits = limits.get(&letter.topic).copied().unwrap_or_default();
    limits.check(&letter).map_err(|refused| {
        Failure::decided(format!("the record cannot become a dead letter: {refused}. Its error: {reason}"))
    })?;
    Ok(Some(letter))
}

/// Why a record becomes a dead letter.
struct Cause<'a> {
    application: &'a str,
    operator: &'a str,
    origin: ErrorOrigin,
    reason: &'a str,
}

/// The unchanged record for a dead-letter topic, with headers named as in KIP-1034.
fn dead_letter(topic: Topic, partitions: i32, record: ErrorRecord, cause: &Cause<'_>) -> ProducerRecord {
    let ErrorRecord { position, timestamp, key, value, mut headers } = record;
    let from = position.partition;
    headers.push("__streams.errors.message", cause.reason.to_owned());
    headers.push("__streams.errors.topic", from.topic.to_string());
    headers.push("__streams.errors.partition", from.partition.to_string());
    headers.push("__streams.errors.offset", position.offset.to_string());
    headers.push("tidemill.errors.application", cause.application.to_owned());
    headers.push("tidemill.errors.operator", cause.operator.to_owned());
    headers.push("tidemill.errors.origin", cause.origin.to_string());
    let partition = match key.as_deref() {
        Some(key) => partition_for(Some(key), partitions),
        None => partition_of_origin(from.partition, 0, position.offset, partitions),
    };
    ProducerRecord { topic, partition, timestamp: timestamp.max(0), key, value, headers }
}

/// The record of a partition, as handlers see it.
pub(super) fn error_record(partition: TopicPartition, raw: ConsumedRecord) -> ErrorRecord {
    let ConsumedRecord { offset, timestamp, key, value, headers } = raw;
    ErrorRecord { position: Position { partition, offset }, timestamp, key, value, headers }
}
