//! Reads several partitions fairly.

use std::sync::Arc;

use crate::transport::embedded::{
    log::partition::Partition,
    storage::{LogStorage, Stored},
};
use crate::transport::{Fetched, Offset, TransportError};

/// A position in a partition.
pub(in crate::transport::embedded) struct Cursor {
    pub(in crate::transport::embedded) partition: Arc<Partition>,
    pub(in crate::transport::embedded) position: Offset,
}

impl Cursor {
    /// The approximate number of records left to read.
    pub(in crate::transport::embedded) fn available(&self) -> i64 {
        self.partition.high() - self.position
    }

    fn read(&mut self, storage: &dyn LogStorage, max: usize) -> Result<Fetched, TransportError> {
        let capacity = usize::try_from(self.available()).unwrap_or(0).min(max);
        let mut records = Vec::with_capacity(capacity);
        // One read ends where the in-memory tail begins. It may find no records if compaction left a gap.
        while records.len() < max && self.available() > 0 {
            let left = max - records.len();
            let mut keep = |stored: &Stored| records.push(stored.record.clone());
            match self.partition.read(storage, self.position, left, &mut keep) {
                Ok(next) => self.position = next,
                // These records must be returned, because the position has moved. The next read returns the error
                // again.
                Err(_) if !records.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Fetched { partition: self.partition.name.clone(), records })
    }
}

/// Reads at most `max` records. A partition with fewer records than its equal share leaves the rest to the others. If
/// there are more partitions than `max`, only the first ones are read, so the caller must rotate them.
pub(in crate::transport::embedded) fn fetch(
    storage: &dyn LogStorage,
    mut ready: Vec<&mut Cursor>,
    max: usize,
) -> Result<Vec<Fetched>, TransportError> {
    ready.truncate(max);
    ready.sort_by_key(|cursor| cursor.available());
    let mut batches = Vec::with_capacity(ready.len());
    let (mut left, mut sharers) = (max, ready.len());
    for cursor in ready {
        match cursor.read(storage, left / sharers) {
            Ok(batch) if batch.records.is_empty() => {}
            Ok(batch) => {
                left -= batch.records.len();
                batches.push(batch);
            }
            Err(_) if !batches.is_empty() => break,
            Err(error) => return Err(error),
        }
        sharers -= 1;
    }
    Ok(batches)
}
