//! Tables with a store of their own, and joins of streams with tables.

use std::sync::Arc;

use tidemill_state::{Codec, VersionPut};

use super::{DropReason, Failure, Next, Outcome, Receive, TableStore, TaskContext, View};
use crate::{
    record::{Data, Record},
    table::Change,
};

/// Keeps the values of each key in a store. A null value deletes the key.
pub(crate) struct KeepTable<K, V> {
    pub(crate) store: TableStore,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) sends_old: bool,
    /// Whether a deletion of a key that has no value is left out.
    pub(crate) skips_nothing: bool,
    pub(crate) next: Next<K, Change<V>>,
}

impl<K: Data, V: Data> KeepTable<K, V> {
    fn keep(&mut self, ctx: &mut TaskContext, record: Record<K, Option<V>>) -> Outcome {
        let Record { key, value: new, timestamp, headers } = record;
        let bytes = self.key.encode(&key)?.unwrap_or_default();
        let old = if self.sends_old { self.store.get(&bytes)? } else { None };
        let old = old.map(|row| self.value.decode(row.value)).transpose()?;
        let row = new.as_ref().map(|new| self.value.encode(new)).transpose()?.flatten();
        let new = new.filter(|_| row.is_some());
        if self.skips_nothing && old.is_none() && new.is_none() {
            return Ok(());
        }
        let is_latest = match self.store.put(bytes, row, timestamp)? {
            VersionPut::Latest => true,
            VersionPut::Until(_) => false,
            VersionPut::Expired => {
                ctx.count_dropped(ctx.node, DropReason::Late);
                return Ok(());
            }
        };
        self.next.forward(ctx, Record { key, value: Change { new, old, is_latest }, timestamp, headers })
    }
}

/// The records of a topic or a stream.
impl<K: Data, V: Data> Receive<K, Option<V>> for KeepTable<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, Option<V>>) -> Outcome {
        if ctx.drops_null(&*self.key, &record.key) {
            return Ok(());
        }
        self.keep(ctx, record)
    }
}

/// The records of a stream whose values have no tombstones.
impl<K: Data, V: Data> Receive<K, V> for KeepTable<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        Receive::<K, Option<V>>::receive(self, ctx, Record { key, value: Some(value), timestamp, headers })
    }
}

/// The changes of a table. The old values are those of this store.
impl<K: Data, V: Data> Receive<K, Change<V>> for KeepTable<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, Change<V>>) -> Outcome {
        let Record { key, value: Change { new, .. }, timestamp, headers } = record;
        self.keep(ctx, Record { key, value: new, timestamp, headers })
    }
}

/// Joins each record with the value that the table has for its key when the record is processed. A versioned table tells
/// the value at the time of the record.
///
/// A table has no value for a null key: an inner join drops such a record, a left join passes it on (KIP-962).
pub(crate) struct StreamTableJoin<K, T, F, V2> {
    pub(crate) table: Box<dyn View<K, T>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) join: Arc<F>,
    pub(crate) next: Next<K, V2>,
}

impl<K: Data, V, T: Data, V2: Data, F, E: Into<Box<Failure>>> Receive<K, V> for StreamTableJoin<K, T, F, V2>
where
    F: Fn(&K, V, Option<T>) -> Result<Option<V2>, E>,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let keyless = self.key.is_null(&record.key);
        let found = if keyless { None } else { self.table.get_as_of(ctx, &record.key, record.timestamp)? };
        let Record { key, value: left, timestamp, headers } = record;
        match (self.join)(&key, left, found.map(|(value, _)| value)).map_err(E::into)? {
            Some(value) => self.next.forward(ctx, Record { key, value, timestamp, headers }),
            None => {
                if keyless {
                    ctx.count_dropped(ctx.node, DropReason::NullKey);
                }
                Ok(())
            }
        }
    }
}
