//! Merges a table's updates between commits: later steps see only the last update of each key.
//!
//! Nothing waits longer than until the next commit, so what waits need not be stored: after a crash, the task takes the
//! same records again.

mod waiting;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::Codec;

use super::{Lifecycle, Next, Outcome, Receive, TaskContext, View, table_view::Found};
use crate::{
    record::{Data, Record},
    table::Change,
};
use waiting::{Held, Waiting};

/// The updates that wait; the operator and the views of the table share them.
pub(crate) type SharedWaiting<K, V> = Rc<RefCell<Waiting<K, V>>>;

/// Holds updates until the next commit, or until they are too many. The update that changed last goes last.
pub(crate) struct TableCache<K, V> {
    pub(crate) waiting: SharedWaiting<K, V>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    /// Whether a later step needs the value before each update.
    pub(crate) sends_old: bool,
    pub(crate) max_bytes: usize,
    pub(crate) next: Next<K, Change<V>>,
}

impl<K: Data, V: Data> TableCache<K, V> {
    /// Replaces what waits for a key.
    fn set(&self, ctx: &mut TaskContext, key: Bytes, held: Option<Held<K, V>>) {
        let before = self.waiting.borrow_mut().set(ctx, key.clone(), held);
        ctx.on_undo(|_| {
            let (waiting, before) = (self.waiting.clone(), before.clone());
            move |ctx: &mut TaskContext| drop(waiting.borrow_mut().set(ctx, key, before))
        });
    }

    /// Emits the update that has waited longest. `false` if none waits.
    fn emit_first(&self, ctx: &mut TaskContext) -> Result<bool, Box<super::Failure>> {
        let Some((bytes, held)) = self.waiting.borrow().first() else { return Ok(false) };
        self.set(ctx, bytes, None);
        let Held { key, change: Change { new, old, .. }, timestamp, headers, .. } = held;
        // A key that came and went since the last commit is unknown to later steps.
        if new.is_some() || old.is_some() {
            let change = Change::latest(new, old.filter(|_| self.sends_old));
            ctx.or_left_out(|ctx| self.next.forward(ctx, Record { key, value: change, timestamp, headers }))?;
        }
        Ok(true)
    }
}

impl<K: Data, V: Data> Receive<K, Change<V>> for TableCache<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, Change<V>>) -> Outcome {
        let Record { key, value: change, timestamp, headers } = record;
        let bytes = self.key.encode(&key)?.unwrap_or_default();
        let held = {
            let mut waiting = self.waiting.borrow_mut();
            let old = match waiting.get(&bytes) {
                Some(first) => first.change.old.clone(),
                None => change.old,
            };
            let size = |value: &Option<V>| value.as_ref().map_or(0, |value| self.value.size_hint(value));
            let weight = bytes.len() + size(&change.new) + size(&old);
            waiting.held(key, Change::latest(change.new, old), timestamp, headers, weight)
        };
        self.set(ctx, bytes, Some(held));
        while self.waiting.borrow().bytes() > self.max_bytes && self.emit_first(ctx)? {}
        Ok(())
    }
}

impl<K: Data, V: Data> Lifecycle for TableCache<K, V> {
    fn before_commit(&mut self, ctx: &mut TaskContext) -> Outcome {
        while self.emit_first(ctx)? {}
        Ok(())
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        let keys = self.waiting.borrow().keys_of(|row| row == key || self.key.partition_bytes(row) == key);
        for key in keys {
            self.set(ctx, key, None);
        }
    }
}

/// The values that the steps below a cache know. Joins of tables must use these: with a value that the steps below do
/// not know yet, a join would later take away what it never added.
pub(crate) struct EmittedView<K, V> {
    pub(crate) of: Box<dyn View<K, V>>,
    pub(crate) waiting: SharedWaiting<K, V>,
    pub(crate) key: Arc<dyn Codec<K>>,
}

impl<K: Data, V: Data> View<K, V> for EmittedView<K, V> {
    fn get(&mut self, ctx: &mut TaskContext, key: &K) -> Found<V> {
        let bytes = self.key.encode(key)?.unwrap_or_default();
        let old = self.waiting.borrow().get(&bytes).map(|held| held.change.old.clone());
        match old {
            Some(old) => Ok(old.map(|old| (old, -1))),
            None => self.of.get(ctx, key),
        }
    }
}
