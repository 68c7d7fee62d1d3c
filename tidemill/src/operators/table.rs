//! Tables that are read from a topic, and joins of streams with tables.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{ByteStore, Codec, Row};

use super::{DropReason, Next, Outcome, Receive, TaskContext};
use crate::record::{Data, Record};

/// Keeps the last value of each key. A null value deletes the key.
pub(crate) struct TableSource<K, V> {
    pub(crate) store: Rc<RefCell<ByteStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) next: Next<K, V>,
}

impl<K: Data, V: Data> Receive<K, Option<V>> for TableSource<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, Option<V>>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        if ctx.drops_null(&*self.key, &key) {
            return Ok(());
        }
        let bytes = self.key.encode(&key)?.unwrap_or_default();
        match value {
            Some(value) => {
                if let Some(row) = self.value.encode(&value)? {
                    self.store.borrow_mut().put(bytes, Row { timestamp, value: row });
                }
                self.next.forward(ctx, Record { key, value, timestamp, headers })
            }
            None => {
                self.store.borrow_mut().delete(bytes);
                Ok(())
            }
        }
    }
}

/// Joins each record with the value that the table has for its key when the record is processed.
///
/// A table has no value for a null key: an inner join drops such a record, a left join passes it on (KIP-962).
pub(crate) struct StreamTableJoin<K, T, F, V2> {
    pub(crate) store: Rc<RefCell<ByteStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<T>>,
    pub(crate) join: Arc<F>,
    pub(crate) next: Next<K, V2>,
    pub(crate) scratch: Vec<u8>,
}

impl<K: Data, V, T: Data, V2: Data, F> Receive<K, V> for StreamTableJoin<K, T, F, V2>
where
    F: Fn(&K, V, Option<T>) -> Option<V2>,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let keyless = self.key.is_null(&record.key);
        let row = if keyless {
            None
        } else {
            self.scratch.clear();
            self.key.encode_into(&record.key, &mut self.scratch)?;
            self.store.borrow().get(&self.scratch)?
        };
        let value = row.map(|row| self.value.decode(row.value)).transpose()?;
        let Record { key, value: left, timestamp, headers } = record;
        match (self.join)(&key, left, value) {
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
