//! A dead letter, as its record and its headers tell.

use std::{collections::HashSet, fmt, str::FromStr};

use bytes::Bytes;
use thiserror::Error;

use crate::{
    error::Position,
    transport::{ConsumedRecord, Headers, Offset, ProducerRecord, Topic, TopicPartition},
};

/// Headers with the cause of a dead letter begin like this (KIP-1034; the second is Tidemill's own).
const CAUSES: [&str; 2] = ["__streams.errors.", "tidemill.errors."];
/// Headers of a replayed record begin like this.
const REPLAYED: &str = "tidemill.replayed.";

/// Names a dead letter by its place: `TOPIC/PARTITION/OFFSET`.
///
/// ```
/// use tidemill::dead_letters::DeadLetterId;
///
/// let id: DeadLetterId = "bad-orders/0/17".parse()?;
/// assert_eq!((&*id.topic, id.partition, id.offset), ("bad-orders", 0, 17));
/// assert_eq!(id.to_string(), "bad-orders/0/17");
/// assert!("bad-orders/17".parse::<DeadLetterId>().is_err());
/// # Ok::<(), tidemill::dead_letters::ParseDeadLetterIdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeadLetterId {
    /// The dead-letter topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: i32,
    /// The letter's offset.
    pub offset: Offset,
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// A text that does not name a dead letter. See the example of [`DeadLetterId`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not the id of a dead letter: write TOPIC/PARTITION/OFFSET, for example bad-orders/0/17")]
pub struct ParseDeadLetterIdError(String);

impl FromStr for DeadLetterId {
    type Err = ParseDeadLetterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split('/').collect();
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        match parts[..] {
            [topic, partition, offset] if !topic.is_empty() => {
                let partition = number(partition).and_then(|partition| i32::try_from(partition).ok());
                partition.zip(number(offset)).map(|(partition, offset)| Self { topic: topic.into(), partition, offset })
            }
            _ => None,
        }
        .ok_or_else(|| ParseDeadLetterIdError(text.to_owned()))
    }
}

/// A record that could not be processed, and why. See the example of [`dead_letters`](crate::dead_letters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its own place.
    pub id: DeadLetterId,
    /// The record that could not be processed; `None` if the letter does not tell. Then it cannot be replayed.
    pub from: Option<Position>,
    /// The application that wrote the letter, if the letter tells.
    pub application: Option<String>,
    /// The operator that failed, if the letter tells.
    pub operator: Option<String>,
    /// Where the error came from, as [`ErrorOrigin`](crate::ErrorOrigin) is displayed, if the letter tells.
    pub origin: Option<String>,
    /// The error's message; empty if the letter does not tell.
    pub error: String,
    /// The record's timestamp, in milliseconds since the epoch.
    pub timestamp: i64,
    /// The bytes of the record's key; `None` for null.
    pub key: Option<Bytes>,
    /// The bytes of the record's value; `None` for null.
    pub value: Option<Bytes>,
    /// The record's own headers.
    pub headers: Headers,
    /// Whether the letter was replayed.
    pub replayed: bool,
    /// The dead letter whose replay failed and became this letter.
    pub replay_of: Option<DeadLetterId>,
    /// How many replays the record had before this letter.
    pub replays: u32,
}

impl DeadLetter {
    pub(super) fn read(topic: &Topic, partition: i32, record: ConsumedRecord) -> Self {
        let text = |name: String| record.headers.last(&name).map(|value| String::from_utf8_lossy(value).into_owned());
        let cause = |name: &str| text(format!("{}{name}", CAUSES[0]));
        let own = |name: &str| text(format!("{}{name}", CAUSES[1]));
        let from = || {
            let (topic, partition) = (cause("topic")?, cause("partition")?.parse().ok()?);
            Some(Position { partition: TopicPartition::new(topic, partition), offset: cause("offset")?.parse().ok()? })
        };
        let (id, from) = (DeadLetterId { topic: topic.clone(), partition, offset: record.offset }, from());
        let (application, operator, origin) = (own("application"), own("operator"), own("origin"));
        let error = cause("message").unwrap_or_default();
        let replay_of = text(format!("{REPLAYED}from")).and_then(|text| text.parse().ok());
        let replays = text(format!("{REPLAYED}times")).and_then(|text| text.parse().ok()).unwrap_or(0);
        let ConsumedRecord { timestamp, key, value, headers, .. } = record;
        let headers = own_headers(&headers);
        let replayed = false;
        Self {
            id,
            from,
            application,
            operator,
            origin,
            error,
            timestamp,
            key,
            value,
            headers,
            replayed,
            replay_of,
            replays,
        }
    }

    /// The record that puts the letter back; `None` if the letter does not tell where it came from.
    pub(super) fn put_back(&self) -> Option<ProducerRecord> {
        let TopicPartition { topic, partition } = self.from.as_ref()?.partition.clone();
        let mut headers = self.headers.clone();
        headers.push(format!("{REPLAYED}from"), self.id.to_string());
        headers.push(format!("{REPLAYED}times"), self.replays.saturating_add(1).to_string());
        let (key, value) = (self.key.clone(), self.value.clone());
        Some(ProducerRecord { topic, partition, timestamp: self.timestamp, key, value, headers })
    }
}

/// The headers of the record itself: those without the ones that the letter and a replay have added behind them. A record
/// that was read from a dead-letter topic has such headers of its own.
fn own_headers(headers: &Headers) -> Headers {
    let mut added = HashSet::new();
    let is_added = |key: &str| CAUSES.iter().chain([&REPLAYED]).any(|prefix| key.starts_with(prefix));
    let headers: Vec<_> = headers.iter().collect();
    let own = headers.into_iter().rev().filter(|header| !is_added(&header.key) || !added.insert(&*header.key));
    let own: Vec<_> = own.cloned().collect();
    own.into_iter().rev().collect()
}
