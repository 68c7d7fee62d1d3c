//! Puts dead letters back to the topics that they came from, each once.
//!
//! Whoever replays opens a producer with the transactional id of the application's replays first. That ends or fences
//! the transaction of everybody else, so the notes that are read then are complete. A record and the note that it was
//! replayed are in one transaction. So nothing is replayed twice, also if a program dies in the middle.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{DeadLetter, DeadLetterId, DeadLetters, notes::Notes};
use crate::transport::{Offset, Producer, ProducerConfig, Topic, TransportError};

/// How many letters are replayed in one transaction.
const TOGETHER: usize = 100;

/// What became of the letters that were chosen. See the example of [`dead_letters`](crate::dead_letters).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// These were put back now.
    pub replayed: Vec<DeadLetterId>,
    /// These had been put back before, and were not put back again.
    pub replayed_before: Vec<DeadLetterId>,
    /// These cannot be put back, and why.
    pub not_possible: Vec<(DeadLetterId, String)>,
}

/// Why letters could not be replayed. Letters of earlier transactions are replayed all the same; the next call goes on
/// with the others.
///
/// ```
/// use tidemill::dead_letters::{DeadLetters, ReplayError};
/// # use tidemill::transport::embedded::EmbeddedLog;
/// # let log = EmbeddedLog::in_memory();
/// # log.create("bad-orders", 1)?;
///
/// let letters = DeadLetters::new(log, "orders", ["bad-orders"]);
/// let id = "bad-orders/0/17".parse()?;
/// let Err(ReplayError::Unknown(unknown)) = letters.replay(&[id]) else { panic!("there is no such letter") };
/// assert_eq!(unknown[0].offset, 17);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There are no such letters. Nothing was replayed.
    #[error("there is no dead letter {}", told(.0))]
    Unknown(Vec<DeadLetterId>),
    /// The log cannot be used, or another program replays at the same moment.
    #[error("the dead letters cannot be replayed")]
    Transport(#[from] TransportError),
}

fn told(ids: &[DeadLetterId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl DeadLetters {
    /// Puts these letters back to the partitions that they came from, in the order of `ids`, with key, value, timestamp
    /// and headers of the record. A letter that was replayed before is not replayed again.
    ///
    /// The record gets the headers `tidemill.replayed.from` and `tidemill.replayed.times`. If it fails again, it is a
    /// new dead letter, which tells by [`DeadLetter::replay_of`] where it comes from. Its timestamp is its old one, so
    /// it may be late for its windows.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Unknown`] if a letter does not exist; all errors of the log.
    pub fn replay(&self, ids: &[DeadLetterId]) -> Result<Replay, ReplayError> {
        self.put_back(ids, false)
    }

    /// What [`replay`](Self::replay) would do now. Nothing is written.
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay).
    ///
    /// ```
    /// # use tidemill::dead_letters::{DeadLetterFilter, DeadLetters};
    /// # use tidemill::transport::embedded::{EmbeddedLog, Entry};
    /// # let log = EmbeddedLog::in_memory();
    /// # log.create("bad-orders", 1)?;
    /// log.append("bad-orders", 0, [Entry::new("ann", "250", 0)])?; // It does not tell where it came from.
    /// let letters = DeadLetters::new(log, "orders", ["bad-orders"]);
    /// let would = letters.dry_run(&["bad-orders/0/0".parse()?])?;
    /// assert!(would.replayed.is_empty() && would.not_possible.len() == 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dry_run(&self, ids: &[DeadLetterId]) -> Result<Replay, ReplayError> {
        self.put_back(ids, true)
    }

    fn put_back(&self, ids: &[DeadLetterId], is_dry: bool) -> Result<Replay, ReplayError> {
        let letters = self.find(ids)?;
        let unknown: Vec<_> = ids.iter().filter(|id| !letters.contains_key(*id)).cloned().collect();
        if !unknown.is_empty() {
            return Err(ReplayError::Unknown(unknown));
        }
        let notes = Notes::of(&self.application_id);
        let mut producer = if is_dry { None } else { Some(self.open(&notes)?) };
        let mut known = notes.read(&*self.transport)?;
        let (mut replay, mut part) = (Replay::default(), Vec::new());
        let mut topics = BTreeMap::new();
        for id in ids {
            let letter = &letters[id];
            if let Some(problem) = self.problem(letter, &mut topics)? {
                replay.not_possible.push((id.clone(), problem));
            } else if known.add(letter) {
                part.push(letter);
                replay.replayed.push(id.clone());
            } else if !replay.replayed.contains(id) {
                replay.replayed_before.push(id.clone());
            }
            if part.len() == TOGETHER {
                write(producer.as_deref_mut(), &notes, &part)?;
                part.clear();
            }
        }
        write(producer.as_deref_mut(), &notes, &part)?;
        Ok(replay)
    }

    /// Opens the one producer that may replay.
    fn open(&self, notes: &Notes) -> Result<Box<dyn Producer>, TransportError> {
        notes.create(&*self.transport)?;
        let transactional_id = Some(format!("{}-dead-letters-replay", self.application_id));
        let mut producer = self.transport.producer(&ProducerConfig { transactional_id })?;
        producer.init_transactions()?;
        Ok(producer)
    }

    /// Why a letter cannot be put back.
    fn problem(
        &self,
        letter: &DeadLetter,
        topics: &mut BTreeMap<Topic, Option<i32>>,
    ) -> Result<Option<String>, TransportError> {
        let Some(from) = letter.from.as_ref().map(|from| &from.partition) else {
            return Ok(Some("it has no headers that tell where it came from".to_owned()));
        };
        if !topics.contains_key(&from.topic) {
            let spec = self.transport.admin()?.describe_topic(&from.topic)?;
            topics.insert(from.topic.clone(), spec.map(|spec| spec.partitions));
        }
        Ok(match topics[&from.topic] {
            None => Some(format!("its topic '{}' does not exist any more", from.topic)),
            Some(count) if !(0..count).contains(&from.partition) => {
                Some(format!("its topic '{}' has no partition {}", from.topic, from.partition))
            }
            Some(_) => None,
        })
    }

    /// The letters with these ids, as far as there are any.
    fn find(&self, ids: &[DeadLetterId]) -> Result<BTreeMap<DeadLetterId, DeadLetter>, TransportError> {
        let mut wanted = BTreeMap::<(Topic, i32), BTreeSet<Offset>>::new();
        for id in ids.iter().filter(|id| self.topics.contains(&id.topic)) {
            wanted.entry((id.topic.clone(), id.partition)).or_default().insert(id.offset);
        }
        let (mut admin, mut found) = (self.transport.admin()?, BTreeMap::new());
        for ((topic, partition), offsets) in wanted {
            let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { continue };
            let exists = admin.describe_topic(&topic)?.is_some_and(|spec| partition < spec.partitions);
            if !exists {
                continue;
            }
            self.scan(&topic, partition, *first, |letter| {
                let goes_on = letter.id.offset < *last;
                if offsets.contains(&letter.id.offset) {
                    found.insert(letter.id.clone(), letter);
                }
                goes_on
            })?;
        }
        Ok(found)
    }
}

/// Writes records and the notes that they were replayed, all or nothing.
fn write(
    producer: Option<&mut (dyn Producer + 'static)>,
    notes: &Notes,
    part: &[&DeadLetter],
) -> Result<(), TransportError> {
    let Some(producer) = producer.filter(|_| !part.is_empty()) else { return Ok(()) };
    producer.begin_transaction()?;
    for letter in part {
        if let Some(record) = letter.put_back() {
            producer.send(record)?;
            producer.send(notes.note(letter))?;
        }
    }
    producer.commit_transaction().map(drop)
}
