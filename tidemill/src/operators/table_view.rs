//! Reads the value of a table's key, for joins. A table without a store of its own computes the value from the
//! stores of the tables above it.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{ByteSessionStore, ByteWindowStore, Codec, Row};

use super::{Failure, TableStore, TaskContext};
use crate::{record::Data, windows::Windowed};

/// A value with its timestamp, if the key has one.
pub(crate) type Found<V> = Result<Option<(V, i64)>, Box<Failure>>;

/// The present values of a table.
pub(crate) trait View<K, V> {
    /// The value of a key, with its timestamp in milliseconds since the epoch.
    fn get(&mut self, ctx: &mut TaskContext, key: &K) -> Found<V>;

    /// The value that a key had at a time, if the table is versioned. Otherwise the present value.
    fn get_as_of(&mut self, ctx: &mut TaskContext, key: &K, _as_of: i64) -> Found<V> {
        self.get(ctx, key)
    }
}

/// The value of a row, if there is one.
fn found<V: Data>(codec: &dyn Codec<V>, row: Option<Row>) -> Found<V> {
    Ok(match row {
        Some(row) => Some((codec.decode(row.value)?, row.timestamp)),
        None => None,
    })
}

/// The rows of a table's store.
pub(crate) struct StoreView<K, V> {
    pub(crate) store: TableStore,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) scratch: Vec<u8>,
}

impl<K: Data, V: Data> View<K, V> for StoreView<K, V> {
    fn get(&mut self, _: &mut TaskContext, key: &K) -> Found<V> {
        self.scratch.clear();
        self.key.encode_into(key, &mut self.scratch)?;
        found(&*self.value, self.store.get(&self.scratch)?)
    }

    fn get_as_of(&mut self, _: &mut TaskContext, key: &K, as_of: i64) -> Found<V> {
        self.scratch.clear();
        self.key.encode_into(key, &mut self.scratch)?;
        found(&*self.value, self.store.get_as_of(&self.scratch, as_of)?)
    }
}

/// The rows of a window store.
pub(crate) struct WindowView<K, V> {
    pub(crate) store: Rc<RefCell<ByteWindowStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) scratch: Vec<u8>,
}

impl<K: Data, V: Data> View<Windowed<K>, V> for WindowView<K, V> {
    fn get(&mut self, _: &mut TaskContext, key: &Windowed<K>) -> Found<V> {
        self.scratch.clear();
        self.key.encode_into(&key.key, &mut self.scratch)?;
        let row = self.store.borrow().get(key.window.start, &self.scratch)?;
        found(&*self.value, row)
    }
}

/// The rows of a session store.
pub(crate) struct SessionView<K, V> {
    pub(crate) store: Rc<RefCell<ByteSessionStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) scratch: Vec<u8>,
}

impl<K: Data, V: Data> View<Windowed<K>, V> for SessionView<K, V> {
    fn get(&mut self, _: &mut TaskContext, key: &Windowed<K>) -> Found<V> {
        self.scratch.clear();
        self.key.encode_into(&key.key, &mut self.scratch)?;
        let row = self.store.borrow().get(&self.scratch, key.window.start, key.window.end)?;
        found(&*self.value, row)
    }
}

/// Values that a function makes of another table's values.
pub(crate) struct MappedView<K, T, F> {
    pub(crate) of: Box<dyn View<K, T>>,
    pub(crate) map: Arc<F>,
}

impl<K: Data, T: Data, V: Data, F, E: Into<Box<Failure>>> View<K, V> for MappedView<K, T, F>
where
    F: Fn(&K, T) -> Result<Option<V>, E>,
{
    fn get(&mut self, ctx: &mut TaskContext, key: &K) -> Found<V> {
        let found = self.of.get(ctx, key)?;
        self.mapped(key, found)
    }

    fn get_as_of(&mut self, ctx: &mut TaskContext, key: &K, as_of: i64) -> Found<V> {
        let found = self.of.get_as_of(ctx, key, as_of)?;
        self.mapped(key, found)
    }
}

impl<K, T, F> MappedView<K, T, F> {
    fn mapped<V, E: Into<Box<Failure>>>(&self, key: &K, found: Option<(T, i64)>) -> Found<V>
    where
        F: Fn(&K, T) -> Result<Option<V>, E>,
    {
        let Some((value, timestamp)) = found else { return Ok(None) };
        let mapped = (self.map)(key, value).map_err(E::into)?;
        Ok(mapped.map(|value| (value, timestamp)))
    }
}

/// Values that a function makes of two tables' values. They are never versioned, as in Kafka Streams (KIP-914).
pub(crate) struct JoinedView<K, L, R, F> {
    pub(crate) left: Box<dyn View<K, L>>,
    pub(crate) right: Box<dyn View<K, R>>,
    pub(crate) join: Arc<F>,
}

impl<K: Data, L: Data, R: Data, V: Data, F, E: Into<Box<Failure>>> View<K, V> for JoinedView<K, L, R, F>
where
    F: Fn(&K, Option<L>, Option<R>) -> Result<Option<V>, E>,
{
    fn get(&mut self, ctx: &mut TaskContext, key: &K) -> Found<V> {
        let (left, right) = (self.left.get(ctx, key)?, self.right.get(ctx, key)?);
        let time = |timestamp: Option<i64>| timestamp.unwrap_or(-1);
        let timestamp = time(left.as_ref().map(|(_, at)| *at)).max(time(right.as_ref().map(|(_, at)| *at)));
        let joined = (self.join)(key, left.map(|(value, _)| value), right.map(|(value, _)| value)).map_err(E::into)?;
        Ok(joined.map(|value| (value, timestamp)))
    }
}
