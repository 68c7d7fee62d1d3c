//! Count, reduce and aggregate without windows: the aggregate stays a Rust value between commits.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{ByteStore, Codec};

use super::{
    Failure, Folded, Lifecycle, Next, Outcome, Receive, TaskContext,
    entries::{Entries, Weight},
};
use crate::{
    record::{Data, Record},
    table::Change,
};

/// An aggregate for each key, emitted at every update. Its inputs share it; a cogroup has several.
pub(crate) struct KeyedAggregate<K, A> {
    store: Rc<RefCell<ByteStore>>,
    /// Whether other nodes use the store, or a rejected record must leave no effect. The store is then written at each
    /// update, and nothing is cached.
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
        store: Rc<RefCell<ByteStore>>,
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
        let index =
            self.entries.find(&self.scratch, &mut self.weight, || match self.store.borrow().get(&self.scratch)? {
                Some(row) => Ok(((), Some(self.value.decode(row.value)?), row.timestamp)),
                None => Ok(((), None, timestamp)),
            })?;
        let fold = |aggregate: &mut Option<A>| -> Result<_, Box<Failure>> {
            let old = if self.sends_old { aggregate.clone() } else { None };
            fold(&key, value, aggregate).outcome()?;
            Ok(Change { new: aggregate.clone().filter(|new| !self.value.is_null(new)), old })
        };
        let (folded, timestamp) = self.entries.update(ctx, index, timestamp, &*self.value, &mut self.weight, fold);
        let value = folded.inspect_err(|_| {
            // The function may have changed the aggregate before it failed. If the error may pass, the store has the one
            // before.
            drop(self.entries.take(ctx, &self.scratch, &mut self.weight));
        })?;
        if self.shared {
            let written = self.write(ctx);
            self.entries.clear(ctx, &mut self.weight);
            written?;
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
    /// Writes changed aggregates to the store.
    fn write(&mut self, ctx: &mut TaskContext) -> Outcome {
        let mut store = self.store.borrow_mut();
        self.entries.spill(ctx, &*self.value, &mut self.weight, |key, row| {
            let key = Bytes::copy_from_slice(key);
            match row {
                Some(row) => store.put(key, row),
                None => store.delete(key),
            }
        })
    }
}

impl<K: Data, A: Data> Lifecycle for KeyedAggregate<K, A> {
    fn flush(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.write(ctx)?;
        if self.weight.is_too_much(ctx) {
            self.entries.clear(ctx, &mut self.weight);
        }
        Ok(())
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        drop(self.entries.take(ctx, key, &mut self.weight));
    }
}
