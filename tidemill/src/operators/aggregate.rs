//! Count, reduce and aggregate without windows: the aggregate stays a Rust value between commits.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{ByteStore, Codec};

use super::{
    Lifecycle, Next, Outcome, Receive, TaskContext,
    entries::{Entries, Weight},
};
use crate::{
    record::{Data, Record},
    table::Change,
};

/// An aggregate for each key, emitted at every update.
pub(crate) struct KeyedAggregate<K, V, A, F> {
    store: Rc<RefCell<ByteStore>>,
    /// Whether other nodes use the store, or a rejected record must leave no effect. The store is then written at each
    /// update, and nothing is cached.
    shared: bool,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<A>>,
    fold: Arc<F>,
    /// Whether a later step needs the aggregate before each update.
    sends_old: bool,
    next: Next<K, Change<A>>,
    entries: Entries<(), A>,
    weight: Weight,
    scratch: Vec<u8>,
    input: std::marker::PhantomData<fn(V)>,
}

impl<K, V, A, F> KeyedAggregate<K, V, A, F> {
    pub(crate) fn new(
        store: Rc<RefCell<ByteStore>>,
        shared: bool,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<A>>,
        fold: Arc<F>,
        sends_old: bool,
        next: Next<K, Change<A>>,
    ) -> Self {
        Self {
            store,
            shared,
            key,
            value,
            fold,
            sends_old,
            next,
            entries: Entries::default(),
            weight: Weight::default(),
            scratch: Vec::new(),
            input: std::marker::PhantomData,
        }
    }
}

impl<K: Data, V, A: Data, F: Fn(&K, V, &mut Option<A>)> Receive<K, V> for KeyedAggregate<K, V, A, F> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
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
        let fold = |aggregate: &mut Option<A>| {
            let old = if self.sends_old { aggregate.clone() } else { None };
            (self.fold)(&key, value, aggregate);
            Change { new: aggregate.clone().filter(|new| !self.value.is_null(new)), old }
        };
        let (value, timestamp) = self.entries.update(ctx, index, timestamp, &*self.value, &mut self.weight, fold);
        if self.shared {
            let written = self.write(ctx);
            self.entries.clear(ctx, &mut self.weight);
            written?;
        }
        self.next.forward(ctx, Record { key, value, timestamp, headers })
    }
}

impl<K, V, A: Data, F> KeyedAggregate<K, V, A, F> {
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

impl<K: Data, V, A: Data, F> Lifecycle for KeyedAggregate<K, V, A, F> {
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
