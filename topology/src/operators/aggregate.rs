//! Count, reduce and aggregate without windows: the aggregate stays a Rust value between commits.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use indexmap::IndexMap;
use tidemill_state::{Codec, Row, Store};

use super::{Lifecycle, Next, Outcome, Receive, TaskContext};
use crate::record::{Data, Record};

/// How many cached aggregates survive a commit; beyond, they are read back from the store.
const CACHED_MAX: usize = 100_000;

struct Entry<A> {
    aggregate: Option<A>,
    timestamp: i64,
    dirty: bool,
}

/// An aggregate for each key, emitted at every update.
pub(crate) struct KeyedAggregate<K, V, A, F> {
    store: Rc<RefCell<Store>>,
    /// Others use the store: it is written at each update and nothing of it is cached.
    shared: bool,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<A>>,
    fold: Arc<F>,
    next: Next<K, A>,
    entries: IndexMap<Box<[u8]>, Entry<A>, hashbrown::DefaultHashBuilder>,
    dirty: Vec<usize>,
    scratch: Vec<u8>,
    input: std::marker::PhantomData<fn(V)>,
}

impl<K, V, A, F> KeyedAggregate<K, V, A, F> {
    pub(crate) fn new(
        store: Rc<RefCell<Store>>,
        shared: bool,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<A>>,
        fold: Arc<F>,
        next: Next<K, A>,
    ) -> Self {
        Self {
            store,
            shared,
            key,
            value,
            fold,
            next,
            entries: IndexMap::default(),
            dirty: Vec::new(),
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
        if self.shared {
            self.entries.clear();
        }
        self.scratch.clear();
        self.key.encode_into(&key, &mut self.scratch)?;
        let index = match self.entries.get_index_of(self.scratch.as_slice()) {
            Some(index) => index,
            None => {
                let row = self.store.borrow().get(&self.scratch)?;
                let entry = match row {
                    Some(Row { timestamp, value }) => {
                        Entry { aggregate: Some(self.value.decode(value)?), timestamp, dirty: false }
                    }
                    None => Entry { aggregate: None, timestamp, dirty: false },
                };
                self.entries.insert_full(self.scratch.as_slice().into(), entry).0
            }
        };
        let entry = &mut self.entries[index];
        if entry.aggregate.is_none() {
            entry.timestamp = timestamp;
        }
        (self.fold)(&key, value, &mut entry.aggregate);
        entry.timestamp = entry.timestamp.max(timestamp);
        if !std::mem::replace(&mut entry.dirty, true) {
            self.dirty.push(index);
        }
        let (aggregate, timestamp) = (entry.aggregate.clone(), entry.timestamp);
        // A null aggregate is no row in the store, and so none here: it starts again with its next record.
        if entry.aggregate.as_ref().is_some_and(|aggregate| self.value.is_null(aggregate)) {
            entry.aggregate = None;
        }
        if self.shared {
            self.write()?;
        }
        match aggregate {
            Some(value) => self.next.forward(ctx, Record { key, value, timestamp, headers }),
            None => Ok(()),
        }
    }
}

impl<K, V, A: Data, F> KeyedAggregate<K, V, A, F> {
    /// Brings changed aggregates into the store.
    fn write(&mut self) -> Outcome {
        let mut store = self.store.borrow_mut();
        for index in self.dirty.drain(..) {
            let (key, entry) = self.entries.get_index_mut(index).expect("dirty indices name entries");
            entry.dirty = false;
            let key = Bytes::copy_from_slice(key);
            let value = match &entry.aggregate {
                Some(aggregate) => self.value.encode(aggregate)?,
                None => None,
            };
            match value {
                Some(value) => store.put(key, Row { timestamp: entry.timestamp, value }),
                None => store.delete(key),
            }
        }
        Ok(())
    }
}

impl<K: Data, V, A: Data, F> Lifecycle for KeyedAggregate<K, V, A, F> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        self.write()?;
        if self.entries.len() > CACHED_MAX {
            self.entries.clear();
        }
        Ok(())
    }
}
