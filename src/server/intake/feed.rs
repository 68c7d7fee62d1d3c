//! Writes recorded events without HTTP. Each batch and the player's place are written in one transaction.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use thiserror::Error;
use tidemill::{
    Clock as _, SystemClock,
    transport::{
        CleanupPolicy, Headers, Producer, ProducerConfig, ProducerRecord, TopicSpec, Transport, TransportError,
        embedded::EmbeddedLog,
    },
};
use tidemill_schemas::{Arrival, describe_errors};

use super::{pressure::Admitted, readers, write::Intake};
use crate::apps::{App, Input};

/// The key of a player's place, and the id of its transactions.
const PLAYER: &str = "player";
/// How long to pause while too many records wait to be processed.
const PAUSE: Duration = Duration::from_millis(50);

/// Why events were not accepted.
#[derive(Debug, Error)]
pub enum FeedError {
    /// An event is not valid. No event of its batch was accepted.
    #[error("event {index} of a batch is not valid: {errors}")]
    Invalid {
        /// The event's index in the batch, from 0.
        index: usize,
        /// What is wrong with the event.
        errors: String,
    },
    /// The log cannot be written.
    #[error("the log does not accept events")]
    Log(#[from] TransportError),
}

/// Writes a player's events. The events on the log and the player's place always agree: a kill at any moment is safe.
pub struct Feed {
    intake: Arc<Intake>,
    producer: Box<dyn Producer>,
    /// Topics of events, with their partitions.
    topics: HashMap<&'static str, (Arc<str>, i32)>,
}

impl Feed {
    /// The topic of the player's place.
    pub const TOPIC: &str = "player-place";

    /// The place of the log's player; `None` if the log has no player.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn place(log: &EmbeddedLog) -> Result<Option<Bytes>, TransportError> {
        match log.read_all(Self::TOPIC) {
            Ok(records) => Ok(records.into_iter().next_back().and_then(|(_, record)| record.value)),
            Err(TransportError::UnknownTopic(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Prepares a log for a player, and writes the player's first place.
    ///
    /// # Errors
    /// If the log cannot be written.
    pub fn begin(log: &dyn Transport, place: &str) -> Result<(), TransportError> {
        let (name, cleanup) = (Self::TOPIC.into(), CleanupPolicy::Compact);
        match log.admin()?.create_topic(&TopicSpec { name, partitions: 1, cleanup, retention: None }) {
            Ok(()) | Err(TransportError::TopicExists(_)) => {}
            Err(error) => return Err(error),
        }
        write_at(log, Some(place))
    }

    /// Forgets the player of a log, if it has one: the log then belongs to the server that accepts other events.
    ///
    /// # Errors
    /// If the log cannot be written.
    pub fn end(log: &dyn Transport) -> Result<(), TransportError> {
        let known = log.admin()?.list_topics()?.iter().any(|topic| **topic == *Self::TOPIC);
        if known { write_at(log, None) } else { Ok(()) }
    }

    /// Opens a feed on a log that has a player, and fences an earlier player.
    pub(in crate::server) fn open(intake: Arc<Intake>) -> Result<Self, TransportError> {
        let config = ProducerConfig { transactional_id: Some(PLAYER.to_owned()) };
        let mut producer = intake.engine.log().transport().producer(&config)?;
        producer.init_transactions()?;
        let mut topics = HashMap::new();
        for input in intake.engine.settings().apps.iter().flat_map(|app| app.inputs) {
            let partitions = intake.engine.log().partitions(input.topic)?;
            topics.insert(input.topic, (Arc::from(input.topic), partitions));
        }
        Ok(Self { intake, producer, topics })
    }

    /// Writes events, as JSON, and the place after them, all or nothing. Waits while the applications are too far
    /// behind. Needs a multi-threaded runtime, because the log may block.
    ///
    /// # Errors
    /// If an event is not valid, or the log cannot be written.
    pub async fn write(&mut self, events: &[(&Input, String)], place: &str) -> Result<(), FeedError> {
        let now_ms = SystemClock.now_ms();
        let mut records = Vec::with_capacity(events.len() + 1);
        for (index, (input, text)) in events.iter().enumerate() {
            let parsed = self.intake.readers.event(input, text.as_bytes(), Arrival::at(now_ms));
            let parsed = parsed.map_err(|errors| FeedError::Invalid { index, errors: describe_errors(&errors) })?;
            let (topic, partitions) = &self.topics[input.topic];
            records.push(readers::record(parsed, topic, *partitions));
        }
        records.push(at(Some(place), now_ms));

        let intake = self.intake.clone();
        let mut admitted = Vec::new();
        for app in &intake.engine.settings().apps {
            for input in app.inputs {
                let count = events.iter().filter(|(of, _)| *of == input).count();
                if count > 0 {
                    let accepted = intake.accepted.with_label_values(&[input.topic]);
                    admitted.push((admit(&intake, app, count).await, accepted, count as u64));
                }
            }
        }
        tokio::task::block_in_place(|| self.commit(records))?;
        for (records, accepted, count) in admitted {
            records.written();
            accepted.inc_by(count);
        }
        Ok(())
    }

    fn commit(&mut self, records: Vec<ProducerRecord>) -> Result<(), TransportError> {
        self.producer.begin_transaction()?;
        for record in records {
            self.producer.send(record)?;
        }
        self.producer.commit_transaction().map(drop)
    }
}

fn write_at(log: &dyn Transport, place: Option<&str>) -> Result<(), TransportError> {
    let mut producer = log.producer(&ProducerConfig::default())?;
    producer.send(at(place, SystemClock.now_ms()))?;
    producer.flush().map(drop)
}

/// A record with the player's place, or a tombstone if there is no player any more.
fn at(place: Option<&str>, timestamp: i64) -> ProducerRecord {
    let (topic, key, value) = (Feed::TOPIC.into(), Some(PLAYER.into()), place.map(|place| place.to_owned().into()));
    ProducerRecord { topic, partition: 0, timestamp, key, value, headers: Headers::new() }
}

/// Waits until the application is no longer too far behind.
async fn admit(intake: &Intake, app: App, count: usize) -> Admitted<'_> {
    loop {
        match intake.pressure.admit(app, count) {
            Ok(admitted) => return admitted,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
