//! Reads dead letters of calls, and the notes about those that were asked again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::RangeInclusive,
    str::FromStr,
};

use bytes::Bytes;
use tidemill::transport::{ConsumedRecord, Offset, ProducerRecord, TopicPartition, TransportError};

use crate::{
    apps::App,
    server::log::{Log, scan},
};

/// Names a dead letter: its partition and its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LetterId {
    pub(super) partition: i32,
    pub(super) offset: Offset,
}

impl fmt::Display for LetterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.partition, self.offset)
    }
}

impl FromStr for LetterId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (partition, offset) = text.split_once('-').ok_or(())?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(partition) || !is_number(offset) {
            return Err(());
        }
        Ok(Self { partition: partition.parse().map_err(drop)?, offset: offset.parse().map_err(drop)? })
    }
}

/// The dead letters of an application's calls.
pub(super) struct Letters<'a> {
    pub(super) log: &'a Log,
    pub(super) app: App,
    /// The topic of the dead letters.
    pub(super) topic: String,
    /// The topic of the notes.
    pub(super) notes: String,
}

impl<'a> Letters<'a> {
    /// `None` if the application makes no calls.
    pub(super) fn of(log: &'a Log, app: App) -> Option<Self> {
        Some(Self { log, app, topic: app.call_dead_letters()?, notes: app.asked_again()? })
    }

    /// The record that asks a dead letter again; `None` if the record is no dead letter.
    pub(super) fn again(&self, id: LetterId, letter: &ConsumedRecord) -> Option<ProducerRecord> {
        (self.app.calls.as_ref()?.ask_again)(id.partition, letter)
    }

    /// The dead letters behind an id, partition by partition, until `take` returns false.
    pub(super) fn scan(
        &self,
        after: Option<LetterId>,
        mut take: impl FnMut(LetterId, ConsumedRecord) -> bool,
    ) -> Result<(), TransportError> {
        let first = after.map_or(0, |after| after.partition);
        for partition in first..self.log.partitions(&self.topic)? {
            let from = after.filter(|after| after.partition == partition).map_or(0, |after| after.offset + 1);
            let mut goes_on = true;
            self.log.read(|reader| {
                scan(reader, &TopicPartition::new(&*self.topic, partition), from, |record| {
                    goes_on = take(LetterId { partition, offset: record.offset }, record);
                    goes_on
                })
            })?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// The dead letters with these ids, as far as there are any.
    pub(super) fn find(&self, ids: &BTreeSet<LetterId>) -> Result<BTreeMap<LetterId, ConsumedRecord>, TransportError> {
        let mut ranges = BTreeMap::<i32, RangeInclusive<Offset>>::new();
        for id in ids {
            // The ids of a partition come in the order of their offsets.
            let range = ranges.entry(id.partition).or_insert(id.offset..=id.offset);
            *range = *range.start()..=id.offset;
        }
        let (mut found, partitions) = (BTreeMap::new(), self.log.partitions(&self.topic)?);
        for (partition, range) in ranges.into_iter().filter(|(partition, _)| *partition < partitions) {
            self.log.read(|reader| {
                scan(reader, &TopicPartition::new(&*self.topic, partition), *range.start(), |record| {
                    let id = LetterId { partition, offset: record.offset };
                    let is_before_end = id.offset < *range.end();
                    if ids.contains(&id) {
                        found.insert(id, record);
                    }
                    is_before_end
                })
            })?;
        }
        Ok(found)
    }

    /// The dead letters that were asked again.
    pub(super) fn asked_again(&self) -> Result<BTreeSet<LetterId>, TransportError> {
        let mut asked = BTreeSet::new();
        for partition in 0..self.log.partitions(&self.notes)? {
            self.log.read(|reader| {
                scan(reader, &TopicPartition::new(&*self.notes, partition), 0, |note| {
                    asked.extend(note.key.as_ref().and_then(noted));
                    true
                })
            })?;
        }
        Ok(asked)
    }
}

fn noted(key: &Bytes) -> Option<LetterId> {
    std::str::from_utf8(key).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_partition_and_an_offset() {
        let id = LetterId { partition: 3, offset: 170 };
        assert_eq!((id.to_string(), "3-170".parse()), ("3-170".to_owned(), Ok(id)));
        for wrong in ["", "3", "3-", "-3", "-3-1", "3-x", "3--1", " 3-1", "3-1 ", "99999999999-1"] {
            assert_eq!(wrong.parse::<LetterId>(), Err(()), "{wrong}");
        }
    }
}
