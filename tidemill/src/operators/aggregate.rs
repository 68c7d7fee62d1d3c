//! Count, reduce and aggregate without windows: the aggregate stays a Rust value between commits.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, VersionPut};

use super::{
    DropReason, Failure, Folded, Lifecycle, Next, Outcome, Receive, TableStore, TaskContext,
    entries::{Entries, Weight},
};
use crate::{
    record::{Data, Record},
    table::Change,
};

/// An aggregate for each key, emitted at every update. Its inputs share it; a cogroup has several.
pub(crate) struct KeyedAggregate<K, A> {
    store: TableStore,
    /// Whether other nodes use the store, it keeps versions, or a rejected record must leave no effect. The store is then
    /// written at each update, and nothing is cached.
    shared: bool,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<A>>,
    /// Whether a later step needs the aggregate before each update.
    sends_old: bool,
    next: Next<K, Change<A>>,
    entries: Entries<(), A>,
    weight: Weight,
    scratch: Vec<u8>,
}

impl<K: Data, A: Data> KeyedAggregate<K, A> {
    pub(crate) fn new(
        store: TableStore,
        shared: bool,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<A>>,
        sends_old: bool,
        next: Next<K, Change<A>>,
    ) -> Self {
        let (entries, weight, scratch) = (Entries::default(), Weight::default(), Vec::new());
        Self { store, shared, key, value, sends_old, next, entries, weight, scratch }
    }

    /// Adds a record to the aggregate of its key, and emits the result.
    #[inline]
    fn update<V, R: Folded>(
        &mut self,
        ctx: &mut TaskContext,
        record: Record<K, V>,
        fold: impl FnOnce(&K, V, &mut Option<A>) -> R,
    ) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        if ctx.drops_null(&*self.key, &key) {
            return Ok(());
        }
        self.scratch.clear();
        self.key.encode_into(&key, &mut self.scratch)?;
        let index = self.entries.find(&self.scratch, &mut self.weight, || match self.store.get(&self.scratch)? {
            Some(row) => Ok(((), Some(self.value.decode(row.value)?), row.timestamp)),
            None => Ok(((), None, timestamp)),
        })?;
        let fold = |aggregate: &mut Option<A>| -> Result<_, Box<Failure>> {
            let old = if self.sends_old { aggregate.clone() } else { None };
            fold(&key, value, aggregate).outcome()?;
            Ok(Change::latest(aggregate.clone().filter(|new| !self.value.is_null(new)), old))
        };
        let (folded, timestamp) = self.entries.update(ctx, index, timestamp, &*self.value, &mut self.weight, fold);
        let mut value = folded.inspect_err(|_| {
            // The function may have changed the aggregate before it failed. If the error may pass, the store has the one
            // before.
            drop(self.entries.take(ctx, &self.scratch, &mut self.weight));
        })?;
        if self.shared {
            let written = self.write(ctx, timestamp);
            self.entries.clear(ctx, &mut self.weight);
            match written? {
                VersionPut::Latest => {}
                // Only the first value after a deletion can be older than what the key has.
                VersionPut::Until(_) => value.is_latest = false,
                VersionPut::Expired => {
                    ctx.count_dropped(ctx.node, DropReason::Late);
                    return Ok(());
                }
            }
        }
        self.next.forward(ctx, Record { key, value, timestamp, headers })
    }
}

/// One input of an aggregate.
pub(crate) struct KeyedInput<K, V, A, F> {
    core: Rc<RefCell<KeyedAggregate<K, A>>>,
    fold: Arc<F>,
    input: std::marker::PhantomData<fn(V)>,
}

impl<K, V, A, F> KeyedInput<K, V, A, F> {
    pub(crate) fn new(core: Rc<RefCell<KeyedAggregate<K, A>>>, fold: Arc<F>) -> Self {
        Self { core, fold, input: std::marker::PhantomData }
    }
}

impl<K: Data, V, A: Data, F, R: Folded> Receive<K, V> for KeyedInput<K, V, A, F>
where
    F: Fn(&K, V, &mut Option<A>) -> R,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        self.core.borrow_mut().update(ctx, record, &*self.fold)
    }
}

impl<K, A: Data> KeyedAggregate<K, A> {
    /// Writes changed aggregates to the store. A deletion has the given time. Returns what became of the last one.
    fn write(&mut self, ctx: &mut TaskContext, deleted_ms: i64) -> Result<VersionPut, Box<Failure>> {
        let mut put = Ok(VersionPut::Latest);
        self.entries.spill(ctx, &*self.value, &mut self.weight, |key, row| {
            let (value, timestamp) = row.map_or((None, deleted_ms), |row| (Some(row.value), row.timestamp));
            if put.is_ok() {
                put = self.store.put(Bytes::copy_from_slice(key), value, timestamp);
            }
        })?;
        Ok(put?)
    }
}

impl<K: Data, A: Data> Lifecycle for KeyedAggregate<K, A> {
    fn flush(&mut self, ctx: &mut TaskContext) -> Outcome {
        // Versions are not cached, so no deletion that is written here needs a time.
        self.write(ctx, -1)?;
        if self.weight.is_too_much(ctx) {
            self.entries.clear(ctx, &mut self.weight);
        }
        Ok(())
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        drop(self.entries.take(ctx, key, &mut self.weight));
    }
}
