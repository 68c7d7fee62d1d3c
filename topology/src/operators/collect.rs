//! Collects a window's elements: each is one row and one changelog record; the list is made when the window closes.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, CodecError, Row, StoreError, WindowStore};

use super::{DropReason, Failure, Lifecycle, Next, Outcome, Receive, TaskContext, WindowClock};
use crate::{
    dsl::Windowed,
    record::{Data, Record},
};

/// How much of a window is in memory at once while it is emitted.
const PIECE_BYTES: usize = 1 << 20;

/// One key's elements of one window.
pub(crate) struct Group<V> {
    pub(crate) key: Bytes,
    pub(crate) timestamp: i64,
    pub(crate) elements: Vec<V>,
}

/// The rows of one collected stream.
pub(crate) struct Elements<K, V> {
    pub(crate) store: Rc<RefCell<WindowStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    scratch: Vec<u8>,
}

impl<K: Data, V: Data> Elements<K, V> {
    pub(crate) fn new(store: Rc<RefCell<WindowStore>>, key: Arc<dyn Codec<K>>, value: Arc<dyn Codec<V>>) -> Self {
        Self { store, key, value, scratch: Vec::new() }
    }

    /// Appends a record to each of its open windows. Gives it back if none takes it.
    pub(crate) fn append(
        &mut self,
        ctx: &mut TaskContext,
        clock: &WindowClock,
        record: Record<K, V>,
    ) -> Result<Option<Record<K, V>>, Box<Failure>> {
        self.scratch.clear();
        self.key.encode_into(&record.key, &mut self.scratch)?;
        let mut value = None;
        for window in clock.windows_for(record.timestamp) {
            if !clock.is_open(window) {
                ctx.count_dropped(ctx.node, DropReason::Late);
                continue;
            }
            let value = match &value {
                Some(value) => value,
                None => value.insert(self.value.encode(&record.value)?.ok_or(CodecError::Null)?),
            };
            let row = Row { timestamp: record.timestamp, value: value.clone() };
            self.store.borrow_mut().append(window.start, &self.scratch, row)?;
        }
        Ok(if value.is_some() { None } else { Some(record) })
    }

    /// The first window with elements in a range of starts.
    pub(crate) fn first_start(&self, from: i64, to: i64) -> Result<Option<i64>, StoreError> {
        Ok(self.store.borrow().scan(from, to)?.next().transpose()?.map(|(at, _)| at.start))
    }

    /// The window's elements, grouped by key, keys in order, elements in the order they came.
    pub(crate) fn groups(&self, start: i64) -> Result<Vec<Group<V>>, Box<Failure>> {
        self.groups_after(start, None, usize::MAX)
    }

    /// The same of keys after one, until they have so many bytes. No group is torn, and one there is if there are any.
    fn groups_after(&self, start: i64, after: Option<&[u8]>, max_bytes: usize) -> Result<Vec<Group<V>>, Box<Failure>> {
        let mut groups: Vec<Group<V>> = Vec::new();
        let mut bytes = 0;
        for row in self.store.borrow().scan_window_after(start, after)? {
            let (at, row) = row?;
            let is_new = groups.last().is_none_or(|group| group.key != at.key);
            if is_new && bytes >= max_bytes {
                break;
            }
            bytes += row.value.len();
            let element = self.value.decode(row.value)?;
            match groups.last_mut().filter(|_| !is_new) {
                Some(group) => {
                    group.timestamp = group.timestamp.max(row.timestamp);
                    group.elements.push(element);
                }
                None => groups.push(Group { key: at.key, timestamp: row.timestamp, elements: vec![element] }),
            }
        }
        Ok(groups)
    }

    pub(crate) fn expire(&self, clock: &WindowClock) {
        let mut store = self.store.borrow_mut();
        let expired = clock.expired_below(store.retention_ms());
        store.expire_before(expired);
    }
}

/// What a collecting operator keeps.
pub(crate) struct Collect<K, V> {
    pub(crate) clock: WindowClock,
    pub(crate) elements: Elements<K, V>,
    pub(crate) next: Next<Windowed<K>, Vec<V>>,
    pub(crate) late: Next<K, V>,
}

impl<K: Data, V: Data> Collect<K, V> {
    fn close_windows(&mut self, ctx: &mut TaskContext) -> Outcome {
        let Some((mut from, to)) = self.clock.newly_closed() else { return Ok(()) };
        while let Some(start) = self.elements.first_start(from, to)? {
            self.emit(ctx, start)?;
            from = start + 1;
        }
        self.elements.expire(&self.clock);
        Ok(())
    }

    /// A window of many keys is larger than memory allows: it is read and sent piece by piece.
    fn emit(&self, ctx: &mut TaskContext, start: i64) -> Outcome {
        let window = self.clock.window_at(start);
        let mut after = None;
        loop {
            let groups = self.elements.groups_after(start, after.as_deref(), PIECE_BYTES)?;
            let Some(last) = groups.last() else { return Ok(()) };
            after = Some(last.key.clone());
            for Group { key, timestamp, elements } in groups {
                let key = Windowed { key: self.elements.key.decode(key)?, window };
                self.next.forward_result(ctx, Record::new(key, elements, timestamp))?;
            }
        }
    }
}

impl<K: Data, V: Data> Receive<K, V> for Collect<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        if ctx.drops_null(&*self.elements.key, &record.key) {
            return Ok(());
        }
        self.clock.observe(record.timestamp, ctx.idle_ms);
        if let Some(late) = self.elements.append(ctx, &self.clock, record)? {
            self.late.forward(ctx, late)?;
        }
        self.close_windows(ctx)
    }
}

impl<K: Data, V: Data> Lifecycle for Collect<K, V> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        self.clock.save([&self.elements.store]);
        Ok(())
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.clock.tick(ctx.idle_ms);
        self.close_windows(ctx)
    }
}
