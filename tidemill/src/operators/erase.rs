//! Erases keys from stores, and from what operators keep in memory.
//!
//! The rows of a key are searched in pieces, so that no turn lasts long, however large the stores are. Until all rows
//! are deleted, the task takes no other record and lets no time pass. The request counts as not taken: after a crash it
//! comes again. This is right only if the request has no other effect on its way. Other requests are done in one turn.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, SessionKey, StoreError, VersionKey, WindowKey};

use super::{Failure, Lifecycle, Lifecycles, Next, Outcome, Receive, StoreHandle, TaskContext};
use crate::{
    graph::{Content, NodeId, RowKeys},
    record::{Data, Record},
};

/// The number of rows that one turn reads.
const PIECE_ROWS: usize = 5_000;

/// What was erased of a key. A task emits it when all of it is deleted. See the example of
/// [`KStream::erase`](crate::KStream::erase).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased<V> {
    /// The value of the record that requested the erasure.
    pub request: V,
    /// The number of deleted rows. Times of keys do not count, and rows deleted before a crash do not count.
    pub rows: u64,
    /// The number of requests of asynchronous steps whose answers will have no effect.
    pub calls: u64,
}

/// A store, the keys of its rows, and the operators that use it.
pub(crate) struct ErasedStore {
    handle: StoreHandle,
    rows: RowKeys,
    users: Vec<NodeId>,
    operators: Vec<Rc<RefCell<dyn Lifecycle>>>,
}

impl From<(StoreHandle, RowKeys, Vec<NodeId>)> for ErasedStore {
    fn from((handle, rows, users): (StoreHandle, RowKeys, Vec<NodeId>)) -> Self {
        if let StoreHandle::Window(store) = &handle {
            store.borrow_mut().leave_deletions();
        }
        Self { handle, rows, users, operators: Vec::new() }
    }
}

/// An erasure that is not done.
struct Work<K, V> {
    record: Record<K, V>,
    /// The part of the key that its rows have in common.
    part: Bytes,
    /// The searches that are not done: a store's index, and the prefix of the rows. The current search comes last.
    walks: Vec<(usize, Vec<u8>)>,
    /// Where the current search continues.
    from: Option<Bytes>,
    /// The key that operators dropped from memory last.
    dropped: Option<Bytes>,
    rows: u64,
    calls: u64,
}

/// Erases the key of each record.
pub(crate) struct Erase<K, V> {
    key: Arc<dyn Codec<K>>,
    stores: Vec<ErasedStore>,
    next: Next<K, Erased<V>>,
    /// Whether a request may take several turns.
    by_pieces: bool,
    works: VecDeque<Work<K, V>>,
    /// The answers of finished erasures. They wait until all erasures of one input record are done, because the record
    /// may come again until then.
    answers: Vec<Record<K, Erased<V>>>,
}

impl<K: Data, V: Data> Erase<K, V> {
    pub(crate) fn new(
        key: Arc<dyn Codec<K>>,
        stores: Vec<ErasedStore>,
        next: Next<K, Erased<V>>,
        by_pieces: bool,
    ) -> Self {
        Self { key, stores, next, by_pieces, works: VecDeque::new(), answers: Vec::new() }
    }

    /// Deletes some of the remaining rows. When none is left, forwards the answers.
    fn go_on(&mut self, ctx: &mut TaskContext) -> Outcome {
        if self.works.is_empty() {
            return Ok(());
        }
        let mut looks = 0;
        while let Some(work) = self.works.front_mut() {
            if !work.go_on(ctx, &self.stores, &mut looks, self.by_pieces)? {
                (ctx.unfinished, ctx.held_by) = (true, Some(ctx.node));
                return Ok(());
            }
            self.answers.extend(self.works.pop_front().map(Work::answer));
        }
        ctx.held_by = None;
        for answer in std::mem::take(&mut self.answers) {
            ctx.or_left_out(|ctx| self.next.forward(ctx, answer))?;
        }
        Ok(())
    }
}

impl<K, V> Work<K, V> {
    /// Deletes some rows. Returns whether none is left.
    fn go_on(
        &mut self,
        ctx: &mut TaskContext,
        stores: &[ErasedStore],
        looks: &mut usize,
        by_pieces: bool,
    ) -> Result<bool, Box<Failure>> {
        while let Some((at, prefix)) = self.walks.last() {
            if *looks >= PIECE_ROWS {
                if by_pieces {
                    return Ok(false);
                }
                *looks = 0;
            }
            let store = &stores[*at];
            if self.from.is_none() {
                store.flush(ctx)?;
            }
            let (found, next) = store.handle.rows_by_prefix(prefix, self.from.as_deref(), PIECE_ROWS - *looks)?;
            *looks = if next.is_some() { PIECE_ROWS } else { *looks + found.len() + 1 };
            for row in found {
                let Some(key) = store.rows.find(row.key(), &self.part) else { continue };
                if self.dropped.as_deref() != Some(key) {
                    store.operators.iter().for_each(|operator| operator.borrow_mut().erase(ctx, key));
                    self.dropped = Some(Bytes::copy_from_slice(key));
                }
                store.handle.delete(&row)?;
                match store.rows.content {
                    Content::Rows => self.rows += 1,
                    Content::Calls => self.calls += 1,
                    Content::Times => {}
                }
            }
            if next.is_none() {
                self.walks.pop();
                self.dropped = None;
            }
            self.from = next;
        }
        Ok(true)
    }

    fn answer(self) -> Record<K, Erased<V>> {
        let Self { record: Record { key, value: request, timestamp, headers }, rows, calls, .. } = self;
        Record { key, value: Erased { request, rows, calls }, timestamp, headers }
    }
}

impl ErasedStore {
    /// Writes what operators have cached to the store, so that the search finds it.
    fn flush(&self, ctx: &mut TaskContext) -> Outcome {
        let node = ctx.node;
        for (id, operator) in self.users.iter().zip(&self.operators) {
            ctx.node = *id;
            operator.borrow_mut().flush(ctx)?;
        }
        ctx.node = node;
        Ok(())
    }
}

/// The key of a found row.
enum Found {
    KeyValue(Bytes),
    Window(WindowKey),
    Session(SessionKey),
    Versioned(Bytes),
}

impl Found {
    fn key(&self) -> &[u8] {
        match self {
            Self::KeyValue(key) | Self::Versioned(key) => key,
            Self::Window(row) => &row.key,
            Self::Session(session) => &session.key,
        }
    }
}

impl StoreHandle {
    /// Some rows whose keys have a prefix, and where to continue.
    fn rows_by_prefix(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        max: usize,
    ) -> Result<(Vec<Found>, Option<Bytes>), StoreError> {
        match self {
            Self::KeyValue(store) => {
                let (found, next) = store.borrow().keys_by_prefix(prefix, from, max)?;
                Ok((found.into_iter().map(Found::KeyValue).collect(), next))
            }
            Self::Window(store) => {
                let (found, next) = store.borrow().rows_by_prefix(prefix, from, max)?;
                Ok((found.into_iter().map(Found::Window).collect(), next))
            }
            Self::Session(store) => {
                let (found, next) = store.borrow().sessions_by_prefix(prefix, from, max)?;
                Ok((found.into_iter().map(Found::Session).collect(), next))
            }
            // Deletions are left out: they are what an erasure leaves.
            Self::Versioned(store) => {
                let store = store.borrow();
                let (keys, next) = store.store().keys_by_prefix(prefix, from, max)?;
                let mut found = Vec::with_capacity(keys.len());
                for key in keys {
                    if store.store().get(&key)?.is_some_and(|row| VersionKey::value(&row).is_some()) {
                        found.push(Found::Versioned(key));
                    }
                }
                Ok((found, next))
            }
        }
    }

    fn delete(&self, row: &Found) -> Result<(), StoreError> {
        match (self, row) {
            (Self::KeyValue(store), Found::KeyValue(key)) => store.borrow_mut().delete(key.clone()),
            (Self::Window(store), Found::Window(row)) => store.borrow_mut().delete_row(row),
            (Self::Session(store), Found::Session(SessionKey { key, start, end })) => {
                store.borrow_mut().remove(key, *start, *end)?;
            }
            (Self::Versioned(store), Found::Versioned(version)) => store.borrow_mut().erase(version),
            (Self::KeyValue(_) | Self::Window(_) | Self::Session(_) | Self::Versioned(_), _) => {}
        }
        Ok(())
    }
}

impl<K: Data, V: Data> Receive<K, V> for Erase<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        if ctx.drops_null(&*self.key, &record.key) {
            return Ok(());
        }
        let encoded = self.key.encode(&record.key)?.unwrap_or_default();
        let part = Bytes::copy_from_slice(self.key.partition_bytes(&encoded));
        let of = |(at, store): (usize, &ErasedStore)| {
            store.rows.prefixes(&part).into_iter().map(move |prefix| (at, prefix)).collect::<Vec<_>>()
        };
        let walks = self.stores.iter().enumerate().rev().flat_map(of).collect();
        self.works.push_back(Work { record, part, walks, from: None, dropped: None, rows: 0, calls: 0 });
        self.go_on(ctx)
    }
}

impl<K: Data, V: Data> Lifecycle for Erase<K, V> {
    fn connect(&mut self, operators: &Lifecycles) {
        for store in &mut self.stores {
            store.users.retain(|user| operators.contains_key(user));
            store.operators = store.users.iter().filter_map(|user| operators.get(user).cloned()).collect();
        }
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.go_on(ctx)
    }
}
