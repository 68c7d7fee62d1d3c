//! Rows of collected windows: one row for each element.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{ByteWindowStore, Codec, CodecError, Row, StoreError};

use super::{DropReason, Failure, Next, TaskContext, WindowClock, WindowTime, window_time::OpenWindows};
use crate::record::{Data, Record};

/// The largest part of a window that is in memory at once while it is emitted, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// A record that no window accepts, with the windows that were open.
type Late<K, V> = (Record<K, V>, OpenWindows);

/// The stored elements of one key in one window. There is at least one element.
pub(crate) struct KeyElements {
    pub(crate) key: Bytes,
    pub(crate) timestamp: i64,
    pub(crate) rows: Vec<Bytes>,
}

impl KeyElements {
    fn new(key: Bytes, row: Row) -> Self {
        Self { key, timestamp: row.timestamp, rows: vec![row.value] }
    }

    fn push(&mut self, row: Row) {
        self.timestamp = self.timestamp.max(row.timestamp);
        self.rows.push(row.value);
    }
}

/// The groups of some keys of a window, and whether they are the last ones.
pub(crate) struct Piece {
    pub(crate) groups: Vec<KeyElements>,
    pub(crate) is_last: bool,
}

impl Piece {
    pub(crate) fn last_key(&self) -> Option<Bytes> {
        self.groups.last().map(|group| group.key.clone())
    }

    /// The groups of keys up to `last`, or all groups if `last` is `None`.
    pub(crate) fn up_to(self, last: Option<&Bytes>) -> Vec<KeyElements> {
        self.groups.into_iter().take_while(|group| last.is_none_or(|last| group.key <= *last)).collect()
    }
}

/// The rows of one collected stream.
pub(crate) struct Elements<K, V> {
    pub(crate) store: Rc<RefCell<ByteWindowStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    /// The encoded key of the last record.
    scratch: Vec<u8>,
}

impl<K: Data, V: Data> Elements<K, V> {
    pub(crate) fn new(store: Rc<RefCell<ByteWindowStore>>, key: Arc<dyn Codec<K>>, value: Arc<dyn Codec<V>>) -> Self {
        Self { store, key, value, scratch: Vec::new() }
    }

    /// Takes a record of one side. A record that no window accepts goes to `late`. Returns false for a null key: such a
    /// record has no window, and closes none.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut TaskContext,
        time: &WindowTime,
        side: u8,
        record: Record<K, V>,
        late: &Next<K, V>,
    ) -> Result<bool, Box<Failure>> {
        if ctx.drops_null(&*self.key, &record.key) {
            return Ok(false);
        }
        if let Some((record, open)) = self.append(ctx, time, record, side)? {
            time.forward_late(ctx, open, record, late)?;
        }
        Ok(true)
    }

    /// Appends a record of one side to each of its open windows. If no window accepts the record, returns it with the
    /// windows that were open.
    fn append(
        &mut self,
        ctx: &mut TaskContext,
        time: &WindowTime,
        record: Record<K, V>,
        side: u8,
    ) -> Result<Option<Late<K, V>>, Box<Failure>> {
        self.scratch.clear();
        self.key.encode_into(&record.key, &mut self.scratch)?;
        let open = time.observe(ctx, &self.scratch, record.timestamp)?;
        let mut value = None;
        for window in time.windows_for(record.timestamp) {
            if !open.has(window) {
                ctx.count_dropped(ctx.node, DropReason::Late);
                continue;
            }
            let value = match &value {
                Some(value) => value,
                None => value.insert(self.value.encode(&record.value)?.ok_or(CodecError::Null)?),
            };
            let row = Row { timestamp: record.timestamp, value: value.clone() };
            let mut store = self.store.borrow_mut();
            if time.fill(ctx, &self.scratch, side, window.start, store.epoch()) {
                store.append_first(window.start, &self.scratch, row);
            } else {
                store.append(window.start, &self.scratch, row)?;
            }
        }
        Ok(if value.is_some() { None } else { Some((record, open)) })
    }

    /// The encoded key of the last record.
    pub(crate) fn last_key(&self) -> &[u8] {
        &self.scratch
    }

    /// The start of the first window with elements, in a range of starts.
    pub(crate) fn first_start(&self, from: i64, to: i64) -> Result<Option<i64>, StoreError> {
        Ok(self.store.borrow().scan(from, to)?.next().transpose()?.map(|(at, _)| at.start))
    }

    /// The window's elements, grouped by key. Keys come in order, starting after `after`; elements come in the order of
    /// arrival. The result ends after about [`PIECE_BYTES`]. A group is never split, and there is at least one group if
    /// the window has more elements.
    pub(crate) fn groups_after(&self, start: i64, after: Option<&[u8]>) -> Result<Piece, StoreError> {
        let (mut groups, mut bytes) = (Vec::<KeyElements>::new(), 0);
        for row in self.store.borrow().scan_window_after(start, after)? {
            let (at, row) = row?;
            bytes += row.value.len();
            match groups.last_mut().filter(|group| group.key == at.key) {
                Some(group) => group.push(row),
                None if bytes - row.value.len() >= PIECE_BYTES => return Ok(Piece { groups, is_last: false }),
                None => groups.push(KeyElements::new(at.key, row)),
            }
        }
        Ok(Piece { groups, is_last: true })
    }

    /// A key's elements in a window, if it has any.
    pub(crate) fn group(&self, start: i64, key: &[u8]) -> Result<Option<KeyElements>, StoreError> {
        let mut rows = self.store.borrow().elements(start, key)?.into_iter();
        let Some(first) = rows.next() else { return Ok(None) };
        let mut group = KeyElements::new(Bytes::copy_from_slice(key), first);
        rows.for_each(|row| group.push(row));
        Ok(Some(group))
    }

    pub(crate) fn decode(&self, rows: Vec<Bytes>) -> Result<Vec<V>, CodecError> {
        rows.into_iter().map(|row| self.value.decode(row)).collect()
    }

    /// Removes a key's window. `epoch` is the commit that wrote its first element.
    pub(crate) fn remove(&self, start: i64, key: &[u8], epoch: u64) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        let is_new = store.epoch() == epoch;
        store.remove(start, key, is_new)
    }

    /// Drops the windows that are past their retention by the partition's time.
    pub(crate) fn expire(&self, ctx: &mut TaskContext, clock: &WindowClock) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        let expired = clock.expired_below(store.retention_ms());
        clock.expire(ctx, &mut store, expired)
    }
}
