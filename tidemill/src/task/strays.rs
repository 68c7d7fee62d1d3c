//! Strays: records that a replaced owner wrote to a changelog behind what the present owner had read of it.
//!
//! Without transactions, no log can refuse them: a thread that hangs in a flush may send its changelog records long
//! after its session. The present owner's state is the right one, because it belongs to the offsets that this owner
//! commits. So the present owner writes its state again behind the strays.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidemill_state::{ByteStore, Row, StoreError};

use super::{TaskStores, stores::Changes};
use crate::{
    error::TaskError,
    graph::StoreName,
    operators::StoreHandle,
    transport::{ConsumedRecord, Offset, TopicPartition},
};

/// A stretch of a store's changelog with strays among the store's own records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strays {
    pub(crate) store: StoreName,
    pub(crate) changelog: TopicPartition,
    pub(crate) from: Offset,
    /// The offset after the stretch.
    pub(crate) to: Offset,
}

impl Strays {
    /// Compares how far a changelog grew with the number of records that its owner sent.
    pub(super) fn between(
        store: &StoreName,
        changelog: &TopicPartition,
        from: Offset,
        sent: usize,
        to: Offset,
    ) -> Option<Self> {
        let grown = usize::try_from(to - from).ok();
        (grown != Some(sent)).then(|| Self { store: store.clone(), changelog: changelog.clone(), from, to })
    }
}

impl TaskStores {
    /// Notes where a store's changelog ends, as far as the store knows. Returns the end noted before.
    pub(super) fn note_end(&self, name: &StoreName, end: Offset) -> Option<Offset> {
        self.ends.borrow_mut().insert(name.clone(), end)
    }

    /// Writes a store's state again where the records of a stretch tell otherwise. The next commit brings it to the
    /// changelog.
    pub(crate) fn write_again(&self, strays: &Strays, records: Vec<ConsumedRecord>) -> Result<(), TaskError> {
        let handle = &self.handles[&strays.store];
        let mut told = Changes::default();
        for record in records {
            if let Some(key) = record.key {
                handle.read_change(key, record.value, record.timestamp, &mut told);
            }
        }
        // Of several records with the same key, the last one counts.
        let (rows, meta): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (told.0.into_iter().collect(), told.1.into_iter().collect());
        let written = handle.with_store_mut(|store| {
            let written = write_again(store, rows, &meta)?;
            if !written {
                // Strays that change nothing need no answer. The store is in use, so only its checkpoint is restored.
                store.restore(Vec::new(), Vec::new(), strays.to)?;
            }
            Ok(())
        });
        written.map_err(|error| self.error(error))
    }
}

fn write_again(
    store: &mut ByteStore,
    rows: BTreeMap<Bytes, Option<Row>>,
    meta: &BTreeMap<String, Bytes>,
) -> Result<bool, StoreError> {
    let mut written = false;
    for (key, told) in rows {
        let row = store.get(&key)?;
        if row != told {
            written = true;
            // Also below a row that is not committed yet: if that row is forgotten, the deletion takes effect again.
            store.delete(key.clone());
            if let Some(row) = row {
                store.put(key, row);
            }
        }
    }
    for (name, told) in meta {
        if let Some(value) = store.meta(name)?.filter(|value| value != told) {
            written = true;
            store.set_meta(name, value);
        }
    }
    Ok(written)
}

impl StoreHandle {
    fn with_store_mut<R>(&self, write: impl FnOnce(&mut ByteStore) -> R) -> R {
        match self {
            Self::KeyValue(store) => write(&mut store.borrow_mut()),
            Self::Window(store) => write(store.borrow_mut().store_mut()),
        }
    }
}

#[cfg(test)]
mod tests;
