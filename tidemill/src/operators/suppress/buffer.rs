//! The updates that are held back: rows in a store, and their order by time in memory.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    ops::Bound,
    rc::Rc,
};

use bytes::Bytes;
use tidemill_state::{ByteStore, Direction, Row, StoreError};

use super::row::Held;
use crate::operators::{Failure, TaskContext};

/// The first byte of an update's row. The key follows.
pub(crate) const UPDATE: u8 = 0;

/// The row of the stream time.
const TIME: &[u8] = &[1];

/// Which keys are held back, and since when.
#[derive(Debug, Default)]
struct Order {
    by_time: BTreeSet<(i64, Bytes)>,
    /// The time of each key, and the bytes that it takes.
    keys: HashMap<Bytes, (i64, usize)>,
    bytes: usize,
}

impl Order {
    fn set(&mut self, key: &Bytes, entry: Option<(i64, usize)>) -> Option<(i64, usize)> {
        let old = match entry {
            Some(entry) => self.keys.insert(key.clone(), entry),
            None => self.keys.remove(key),
        };
        if let Some((time_ms, bytes)) = old {
            self.by_time.remove(&(time_ms, key.clone()));
            self.bytes -= bytes;
        }
        if let Some((time_ms, bytes)) = entry {
            self.by_time.insert((time_ms, key.clone()));
            self.bytes += bytes;
        }
        old
    }
}

/// The buffer of one suppression.
pub(super) struct Buffer {
    store: Rc<RefCell<ByteStore>>,
    order: Rc<RefCell<Order>>,
}

impl Buffer {
    /// Continues from the store's contents.
    pub(super) fn open(store: Rc<RefCell<ByteStore>>) -> Result<Self, StoreError> {
        let mut order = Order::default();
        let name = store.borrow().name().to_owned();
        for row in store.borrow().scan(Bound::Included(&[UPDATE]), Bound::Excluded(TIME), Direction::Forward)? {
            let (at, row) = row?;
            let bytes = at.len() + row.value.len();
            let held = Held::decode(row.value).map_err(|source| StoreError::Codec { store: name.clone(), source })?;
            order.set(&at.slice(1..), Some((held.time_ms, bytes)));
        }
        Ok(Self { store, order: Rc::new(RefCell::new(order)) })
    }

    /// The update of a key that is held back, with the time of its record.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<(Held, i64)>, Box<Failure>> {
        Ok(match self.store.borrow().get(&row_key(key))? {
            Some(row) => Some((Held::decode(row.value)?, row.timestamp)),
            None => None,
        })
    }

    /// Since when a key is held back.
    pub(super) fn time_of(&self, key: &Bytes) -> Option<i64> {
        self.order.borrow().keys.get(key).map(|(time_ms, _)| *time_ms)
    }

    pub(super) fn put(
        &self,
        ctx: &mut TaskContext,
        key: Bytes,
        held: &Held,
        timestamp: i64,
    ) -> Result<(), Box<Failure>> {
        let (at, value) = (row_key(&key), held.encode()?);
        let bytes = at.len() + value.len();
        self.store.borrow_mut().put(at, Row { timestamp, value });
        self.set(ctx, key, Some((held.time_ms, bytes)));
        Ok(())
    }

    /// The key that waits longest, and since when.
    pub(super) fn first(&self) -> Option<(i64, Bytes)> {
        self.order.borrow().by_time.first().cloned()
    }

    pub(super) fn remove(&self, ctx: &mut TaskContext, key: Bytes) {
        self.store.borrow_mut().delete(row_key(&key));
        self.set(ctx, key, None);
    }

    /// Forgets a key whose row another step deletes.
    pub(super) fn forget(&self, ctx: &mut TaskContext, key: &[u8]) {
        self.set(ctx, Bytes::copy_from_slice(key), None);
    }

    pub(super) fn len(&self) -> usize {
        self.order.borrow().keys.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.order.borrow().bytes
    }

    /// The stream time that was saved; -1 if none was.
    pub(super) fn saved_time(&self) -> Result<i64, StoreError> {
        Ok(self.store.borrow().get(TIME)?.map_or(-1, |row| row.timestamp))
    }

    pub(super) fn save_time(&self, now_ms: i64) {
        self.store.borrow_mut().put(Bytes::from_static(TIME), Row { timestamp: now_ms, value: Bytes::new() });
    }

    fn set(&self, ctx: &mut TaskContext, key: Bytes, entry: Option<(i64, usize)>) {
        let old = self.order.borrow_mut().set(&key, entry);
        ctx.on_undo(|_| {
            let order = self.order.clone();
            move |_: &mut TaskContext| _ = order.borrow_mut().set(&key, old)
        });
    }
}

fn row_key(key: &[u8]) -> Bytes {
    [&[UPDATE], key].concat().into()
}
