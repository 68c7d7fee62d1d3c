//! Collects a window's elements: each is one row and one changelog record; the list is made when the window closes.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, CodecError, Row, StoreError, WindowStore};

use super::{DropReason, Failure, Lifecycle, Next, Outcome, Receive, TaskContext, WindowClock};
use crate::{
    dsl::Windowed,
    record::{Data, Record},
};

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
        let mut groups: Vec<Group<V>> = Vec::new();
        for row in self.store.borrow().scan(start, start + 1)? {
            let (at, row) = row?;
            let element = self.value.decode(row.value)?;
            match groups.last_mut() {
                Some(group) if group.key == at.key => {
                    group.timestamp = group.timestamp.max(row.timestamp);
                    group.elements.push(element);
                }
                _ => groups.push(Group { key: at.key, timestamp: row.timestamp, elements: vec![element] }),
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
            for Group { key, timestamp, elements } in self.elements.groups(start)? {
                let key = Windowed { key: self.elements.key.decode(key)?, window: self.clock.window_at(start) };
                self.next.forward(ctx, Record::new(key, elements, timestamp))?;
            }
            from = start + 1;
        }
        self.elements.expire(&self.clock);
        Ok(())
    }
}

impl<K: Data, V: Data> Receive<K, V> for Collect<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        if self.elements.key.is_null(&record.key) {
            ctx.count_dropped(ctx.node, DropReason::NullKey);
            return Ok(());
        }
        self.clock.observe(record.timestamp, ctx.wall_ms);
        if let Some(late) = self.elements.append(ctx, &self.clock, record)? {
            self.late.forward(ctx, late)?;
        }
        self.close_windows(ctx)
    }
}

impl<K: Data, V: Data> Lifecycle for Collect<K, V> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        self.clock.save(&mut self.elements.store.borrow_mut());
        Ok(())
    }

    fn tick(&mut self, ctx: &mut TaskContext, caught_up: bool) -> Outcome {
        self.clock.tick(ctx.wall_ms, caught_up);
        self.close_windows(ctx)
    }
}
