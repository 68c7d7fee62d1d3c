//! Transaction markers that are written late: the commit is acknowledged, but until its marker is on a partition, a
//! committed read of that partition ends before the transaction.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::{Fetched, Offset, TopicPartition};

/// The missing markers of a log.
#[derive(Clone, Default)]
pub(crate) struct Markers(Arc<Mutex<Vec<Missing>>>);

/// A partition that has a transaction's records but not its marker.
struct Missing {
    transactional_id: String,
    partition: TopicPartition,
    first: Offset,
    until_ms: i64,
}

impl Markers {
    /// Delays a marker: it is written at `until_ms`.
    pub(super) fn delay(&self, transactional_id: &str, partition: TopicPartition, first: Offset, until_ms: i64) {
        self.lock().push(Missing { transactional_id: transactional_id.to_owned(), partition, first, until_ms });
    }

    /// Writes all markers of a transactional id, which must happen before a new producer with this id may begin.
    pub(super) fn write(&self, transactional_id: &str) {
        self.lock().retain(|missing| missing.transactional_id != transactional_id);
    }

    /// Where a committed read ends, or `None` if it ends at the end of the partition.
    pub(super) fn end_of(&self, partition: &TopicPartition, now_ms: i64) -> Option<Offset> {
        let mut missing = self.lock();
        missing.retain(|missing| missing.until_ms > now_ms);
        missing.iter().filter(|missing| missing.partition == *partition).map(|missing| missing.first).min()
    }

    /// Removes the records that a committed read does not see yet. Returns the offset of the first removed record.
    pub(super) fn cut(&self, batch: &mut Fetched, now_ms: i64) -> Option<Offset> {
        let end = self.end_of(&batch.partition, now_ms)?;
        let seen = batch.records.partition_point(|record| record.offset < end);
        if seen == batch.records.len() {
            return None;
        }
        batch.records.truncate(seen);
        Some(end)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Missing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
