//! Ends of transactions that are acknowledged, and not written to every partition yet: until they are, a committed read
//! ends where the transaction begins.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::{Fetched, Offset, TopicPartition};

/// The markers that are missing in a log.
#[derive(Clone, Default)]
pub(crate) struct Markers(Arc<Mutex<Vec<Missing>>>);

/// A partition that has a transaction's records, and not its end.
struct Missing {
    transactional_id: String,
    partition: TopicPartition,
    first: Offset,
    until_ms: i64,
}

impl Markers {
    /// A marker is written at this time, and not before.
    pub(super) fn delay(&self, transactional_id: &str, partition: TopicPartition, first: Offset, until_ms: i64) {
        self.lock().push(Missing { transactional_id: transactional_id.to_owned(), partition, first, until_ms });
    }

    /// All of a transactional id are written before a new producer of it may begin.
    pub(super) fn write(&self, transactional_id: &str) {
        self.lock().retain(|missing| missing.transactional_id != transactional_id);
    }

    /// Where a committed read of a partition ends, if not at its end.
    pub(super) fn end_of(&self, partition: &TopicPartition, now_ms: i64) -> Option<Offset> {
        let mut missing = self.lock();
        missing.retain(|missing| missing.until_ms > now_ms);
        missing.iter().filter(|missing| missing.partition == *partition).map(|missing| missing.first).min()
    }

    /// Takes out of a batch what a committed read does not see yet, and tells where that begins if there is any.
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
