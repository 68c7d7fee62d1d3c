//! Asks dead letters again, each once.
//!
//! Requests and the notes that they were asked are written in one transaction of the log. Whoever asks opens a producer
//! with the call's transactional id first: that ends or fences the transaction of everybody else, of this server and of
//! others. So the notes that are read then are all that there are, and a POST that is repeated, or a server that dies in
//! the middle, asks nothing twice. An offset of a consumer group would not do: dead letters are asked in any order.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tidemill::{
    Clock as _, SystemClock,
    transport::{
        ConsumedRecord, Headers, Producer, ProducerConfig, ProducerRecord, Topic, TopicPartition, Transport as _,
        TransportError,
    },
};

use super::letters::{LetterId, Letters};
use crate::{
    apps::App,
    server::{
        engine::Engine,
        log::{Log, scan},
        wait::wait_for,
    },
};

/// How many are asked in one transaction.
const TOGETHER: usize = 100;
/// How long requests that are asked again may take to reach their task.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The dead letters of all applications.
pub(in crate::server) struct DeadLetters {
    pub(super) engine: Arc<Engine>,
    /// One at a time asks, or erases.
    asking: Mutex<()>,
}

/// Which dead letters are asked again.
pub(super) enum Which {
    All,
    These(BTreeSet<LetterId>),
}

/// What became of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// So many were asked now, and so many had been asked before.
    Done { now: usize, before: usize },
    /// There are no such dead letters. Nothing was asked.
    Unknown(Vec<LetterId>),
}

impl DeadLetters {
    pub(in crate::server) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, asking: Mutex::default() }
    }

    /// Asks dead letters again that were not asked yet. Blocks. After an error, some may have been asked; the next call
    /// asks the rest.
    pub(super) fn ask(&self, letters: &Letters<'_>, which: Which) -> Result<Asked, TransportError> {
        let _alone = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut producer = open(letters)?;
        let mut known = letters.asked_again()?;
        match which {
            Which::These(ids) => {
                let found = letters.find(&ids)?;
                let unknown: Vec<_> = ids.iter().filter(|id| !found.contains_key(id)).copied().collect();
                if !unknown.is_empty() {
                    return Ok(Asked::Unknown(unknown));
                }
                let all = found.len();
                let new: Vec<_> = found.into_iter().filter(|(id, _)| !known.contains(id)).collect();
                let now = new.len();
                for part in new.chunks(TOGETHER) {
                    commit(&mut *producer, letters, part)?;
                }
                Ok(Asked::Done { now, before: all - now })
            }
            Which::All => {
                let (mut now, mut before, mut after) = (0, 0, None);
                loop {
                    let mut part = Vec::new();
                    letters.scan(after, |id, letter| {
                        after = Some(id);
                        if known.insert(id) {
                            part.push((id, letter));
                        } else {
                            before += 1;
                        }
                        part.len() < TOGETHER
                    })?;
                    if part.is_empty() {
                        return Ok(Asked::Done { now, before });
                    }
                    commit(&mut *producer, letters, &part)?;
                    now += part.len();
                }
            }
        }
    }

    /// Deletes the dead letters of a partition, and waits until the task has taken those that were asked again. After
    /// that, an erasure reaches them. Blocks.
    pub(in crate::server) fn discard(&self, app: App, partition: i32) -> Result<(), TransportError> {
        let log = self.engine.log();
        let (Some(letters), Some([_, responses])) = (Letters::of(log, app), app.call_topics()) else { return Ok(()) };
        let _alone = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let dead = TopicPartition::new(&*letters.topic, partition);
        log.delete_records(&dead, log.read(|reader| reader.watermarks(&dead))?.high)?;
        let responses = TopicPartition::new(&*responses, partition);
        let end = log.read(|reader| reader.watermarks(&responses))?.high;
        let mut failed = None;
        let taken = || match is_taken(log, app, &responses, end) {
            Ok(taken) => taken.then_some(()),
            Err(error) => {
                failed = Some(error);
                Some(())
            }
        };
        wait_for(ARRIVAL, Duration::from_millis(50), taken);
        failed.map_or(Ok(()), Err)
    }
}

/// Whether the application has taken all records of a partition before `end`.
fn is_taken(log: &Log, app: App, partition: &TopicPartition, end: i64) -> Result<bool, TransportError> {
    let lags = log.group_lag(app.id, &[Topic::from(&*partition.topic)])?;
    let lag = lags.into_iter().find(|lag| lag.partition == *partition);
    let from = lag.and_then(|lag| lag.committed).unwrap_or(0);
    // Behind the committed offset there may be nothing but the end of a transaction.
    let mut taken = true;
    if from < end {
        log.read(|reader| {
            scan(reader, partition, from, |record| {
                taken = record.offset >= end;
                false
            })
        })?;
    }
    Ok(taken)
}

/// Opens the one producer that may ask. It ends the transactions of those before it.
fn open(letters: &Letters<'_>) -> Result<Box<dyn Producer>, TransportError> {
    let name = letters.app.calls.as_ref().map_or("", |calls| calls.name);
    let config = ProducerConfig { transactional_id: Some(format!("{}-{name}-dlq", letters.app.id)) };
    let mut producer = letters.log.transport().producer(&config)?;
    producer.init_transactions()?;
    Ok(producer)
}

/// Writes requests and the notes that they were asked, all or nothing.
fn commit(
    producer: &mut dyn Producer,
    letters: &Letters<'_>,
    part: &[(LetterId, ConsumedRecord)],
) -> Result<(), TransportError> {
    let (topic, now_ms) = (Topic::from(&*letters.notes), SystemClock.now_ms());
    producer.begin_transaction()?;
    for (id, letter) in part {
        // What is no dead letter is noted, too, so that it is not looked at again.
        if let Some(again) = letters.again(*id, letter) {
            producer.send(again)?;
        }
        let key = Some(id.to_string().into());
        let (topic, value, headers) = (topic.clone(), Some("asked".into()), Headers::new());
        producer.send(ProducerRecord { topic, partition: 0, timestamp: now_ms, key, value, headers })?;
    }
    producer.commit_transaction().map(drop)
}
