//! The topics that executors share: the ledger and the cache, one partition each.

use std::time::Duration;

use crate::{
    async_op::calls::Calls,
    clock::Moment,
    transport::{Admin, CleanupPolicy, Offset, Reader, Topic, TopicPartition, TopicSpec, Transport, TransportError},
};

const MAX_RECORDS: usize = 1_000;

/// Reads the shared topics from their beginnings on.
pub(super) struct Shared {
    reader: Box<dyn Reader>,
    /// What must be read before the first attempt.
    ends: Vec<(TopicPartition, Offset)>,
    ledger: Topic,
}

impl Shared {
    pub(super) fn open(transport: &dyn Transport, ledger: &Topic, topics: &[Topic]) -> Result<Self, TransportError> {
        let mut reader = transport.reader()?;
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for topic in topics {
            let partition = TopicPartition::new(topic.clone(), 0);
            let bounds = reader.watermarks(&partition)?;
            starts.push((partition.clone(), bounds.low));
            ends.push((partition, bounds.high));
        }
        reader.assign(&starts)?;
        Ok(Self { reader, ends, ledger: ledger.clone() })
    }

    /// Reads what is there. Returns the number of records.
    pub(super) fn read(&mut self, calls: &mut Calls, timeout: Duration, now: Moment) -> Result<usize, TransportError> {
        let mut read = 0;
        for fetched in self.reader.read(timeout, MAX_RECORDS)? {
            let is_ledger = fetched.partition.topic == self.ledger;
            for record in fetched.records {
                read += 1;
                let key = record.key.unwrap_or_default();
                if is_ledger {
                    if let Some(ledger) = calls.ledger() {
                        ledger.read(&key, record.value.as_deref(), now.wall_ms);
                    }
                } else if let Some(cache) = calls.cached() {
                    cache.put(key, record.value, record.timestamp, now.wall_ms);
                }
            }
        }
        Ok(read)
    }

    /// Whether everything has been read that was there when the executor opened.
    pub(super) fn caught_up(&mut self) -> Result<bool, TransportError> {
        while let Some((partition, end)) = self.ends.last() {
            if self.reader.position(partition)? < *end {
                return Ok(false);
            }
            self.ends.pop();
        }
        Ok(true)
    }
}

/// Creates a topic of the executors, if it does not exist.
pub(super) fn ensure_topic(
    admin: &mut dyn Admin,
    name: &Topic,
    partitions: i32,
    cleanup: CleanupPolicy,
    retention: Option<Duration>,
) -> Result<(), TransportError> {
    let spec = TopicSpec { name: name.clone(), partitions, cleanup, retention };
    match admin.create_topic(&spec) {
        Ok(()) | Err(TransportError::TopicExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
