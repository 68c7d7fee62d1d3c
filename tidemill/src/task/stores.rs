//! A task's stores: opened together, committed together, rolled back together.

mod handle;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteSessionStore, ByteStore, ByteVersionedStore, ByteWindowStore, Row, StoreError};

use super::{
    StoreSupplier,
    purges::Head,
    session_order::{SessionOrder, Turn},
    strays::Strays,
    written_by::compare_writers,
};
use crate::{
    error::TaskError,
    graph::{StoreKind, StoreName, StoreSpec},
    operators::StoreHandle,
    plan::{Plan, TaskId},
    transport::{ConsumedRecord, Headers, Offset, ProducerRecord, TopicPartition},
};

/// How often a store notes that it is current. Rarely, because the note is compared with hours.
const CURRENT_EVERY_MS: i64 = 60_000;

/// How old the note on disk may become while no other write brings a newer note to disk. Far less than the time for
/// which logs keep tombstones, and rare enough for an idle disk.
pub(super) const DURABLE_EVERY_MS: i64 = 3_600_000;

/// A task's stores with their changelogs.
pub(crate) struct TaskStores {
    pub(crate) task: TaskId,
    pub(crate) handles: BTreeMap<StoreName, StoreHandle>,
    pub(super) changelogs: BTreeMap<StoreName, TopicPartition>,
    /// The changelog heads of window stores.
    heads: RefCell<BTreeMap<StoreName, Head>>,
    /// Where each changelog ends, as far as its store knows.
    pub(super) ends: RefCell<BTreeMap<StoreName, Offset>>,
    /// The strays of each store whose answer is not committed.
    pub(super) strays: RefCell<BTreeMap<StoreName, Strays>>,
}

/// Row changes and the store's own notes, as read from a changelog.
pub(super) type Changes = (Vec<(Bytes, Option<Row>)>, Vec<(String, Bytes)>);

impl TaskStores {
    /// Opens every store of a task. A corrupted store is set aside and begins again from empty.
    pub(crate) fn open(plan: &Plan, task: TaskId, supplier: &dyn StoreSupplier) -> Result<Self, TaskError> {
        let failed = |source| TaskError::of_store(task, source);
        let mut handles = BTreeMap::new();
        let mut changelogs = BTreeMap::new();
        for name in plan.stores(task.subtopology) {
            let spec = &plan.graph().stores[name];
            let handle = match open_store(spec, task, supplier) {
                Err(StoreError::Corrupted { store, source }) => {
                    tracing::warn!(%task, %store, error = %source, "store is corrupted, rebuilding it");
                    supplier.quarantine(task, spec).map_err(failed)?;
                    open_store(spec, task, supplier)
                }
                opened => opened,
            };
            handles.insert(name.clone(), handle.map_err(failed)?);
            if spec.logged {
                let topic = plan.changelog(name);
                changelogs.insert(name.clone(), TopicPartition { topic, partition: task.partition });
            }
        }
        Ok(Self::of(task, handles, changelogs))
    }

    pub(super) fn of(
        task: TaskId,
        handles: BTreeMap<StoreName, StoreHandle>,
        changelogs: BTreeMap<StoreName, TopicPartition>,
    ) -> Self {
        let (heads, ends, strays) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { task, handles, changelogs, heads, ends, strays }
    }

    /// The stores that have a changelog, each with its changelog.
    pub(crate) fn logged(&self) -> impl Iterator<Item = (&StoreName, &StoreHandle, &TopicPartition)> {
        self.changelogs.iter().map(|(name, changelog)| (name, &self.handles[name], changelog))
    }

    /// Where a store continues in its changelog, and when the store last had all of it.
    pub(super) fn whole_at(&self, name: &StoreName) -> Result<(Option<Offset>, Option<i64>), TaskError> {
        let (checkpoint, handle) = (self.checkpoint(name)?, &self.handles[name]);
        let current_at = handle.with_store(ByteStore::current_at).map_err(|error| self.error(error))?;
        Ok((self.behind_strays(name).or(checkpoint), current_at))
    }

    fn checkpoint(&self, name: &StoreName) -> Result<Option<Offset>, TaskError> {
        self.handles[name].with_store(ByteStore::checkpoint).map_err(|error| self.error(error))
    }

    /// Notes since when a store has missed no deletion of its changelog.
    pub(super) fn note_whole(&self, name: &StoreName, wall_ms: i64) -> Result<(), TaskError> {
        self.handles[name].set_current_at(wall_ms).map_err(|error| self.error(error))
    }

    /// Empties a store that must be rebuilt. An empty store has missed no deletion, so a rebuild that a crash
    /// interrupts continues from its last flush.
    pub(super) fn clear(&self, name: &StoreName, wall_ms: i64) -> Result<(), TaskError> {
        let handle = &self.handles[name];
        self.take_up_strays(name);
        handle.clear().and_then(|()| handle.set_current_at(wall_ms)).map_err(|error| self.error(error))
    }

    /// Applies records of a store's changelog in one batch. Returns the offset after the last record, or `next` if
    /// there are no records.
    pub(crate) fn replay(
        &self,
        name: &StoreName,
        records: Vec<ConsumedRecord>,
        mut next: Offset,
    ) -> Result<Offset, TaskError> {
        let handle = &self.handles[name];
        let mut changes = Changes::default();
        changes.0.reserve(records.len());
        for record in records {
            next = record.offset + 1;
            if let Some(key) = record.key {
                handle.read_change(key, record.value, record.timestamp, &mut changes);
            }
        }
        let checkpoint = match self.behind_strays(name) {
            // The store does not agree with its changelog before the strays are answered.
            Some(_) => self.checkpoint(name)?.unwrap_or(0),
            None => next,
        };
        handle.restore(changes, checkpoint).map_err(|error| self.error(error))?;
        Ok(next)
    }

    /// The changelog records of everything uncommitted.
    pub(crate) fn changelog_records(&self, mut send: impl FnMut(ProducerRecord)) -> Result<(), TaskError> {
        for (_, handle, changelog) in self.logged() {
            let order = match handle {
                StoreHandle::Session(store) => Some(SessionOrder::of(store.borrow().store())),
                StoreHandle::KeyValue(_) | StoreHandle::Window(_) | StoreHandle::Versioned(_) => None,
            };
            let order = order.transpose().map_err(|error| self.error(error))?;
            handle.with_store(|store| {
                let mut record = |key: Bytes, timestamp: i64, value: Option<Bytes>| {
                    let (topic, partition) = (changelog.topic.clone(), changelog.partition);
                    let key = Some(key);
                    send(ProducerRecord { topic, partition, timestamp, key, value, headers: Headers::new() });
                };
                let rows = |turn: Turn, record: &mut dyn FnMut(Bytes, i64, Option<Bytes>)| {
                    let turn_of = |key, row| order.as_ref().map_or(Turn::Written, |order| order.turn(key, row));
                    for (key, row) in store.uncommitted().filter(|(key, row)| turn_of(key, *row) == turn) {
                        let (key, timestamp, value) = handle.to_changelog(key, row);
                        record(key, timestamp, value);
                    }
                };
                rows(Turn::Written, &mut record);
                if order.is_some() {
                    rows(Turn::Absorbed, &mut record);
                }
                for (key, value) in store.uncommitted_meta() {
                    record(Bytes::copy_from_slice(key.as_bytes()), 0, Some(value.clone()));
                }
                if order.is_some() {
                    rows(Turn::Closed, &mut record);
                }
            });
        }
        Ok(())
    }

    /// Notes the present end of the changelogs after a restore, so that this part can be purged later.
    pub(crate) fn restored(&self) -> Result<(), TaskError> {
        for (name, handle, _) in self.logged() {
            let end = self.checkpoint(name)?;
            let StoreHandle::Window(store) = handle else { continue };
            store.borrow_mut().restart_epochs();
            if let Some(end) = end {
                self.with_head(name, store, |head, store| head.restored(store, end));
            }
        }
        Ok(())
    }

    pub(super) fn with_head<R>(
        &self,
        name: &StoreName,
        store: &RefCell<ByteWindowStore>,
        work: impl FnOnce(&mut Head, &ByteWindowStore) -> R,
    ) -> R {
        let (mut heads, store) = (self.heads.borrow_mut(), store.borrow());
        work(heads.entry(name.clone()).or_insert_with(|| Head::new(&store)), &store)
    }

    /// The dead heads of changelogs: no restore needs them any more.
    pub(crate) fn take_dead(&self) -> Vec<(TopicPartition, Offset)> {
        let dead = self.logged().filter_map(|(name, handle, changelog)| {
            let StoreHandle::Window(store) = handle else { return None };
            Some((changelog.clone(), self.with_head(name, store, Head::dead)?))
        });
        dead.collect()
    }

    /// Starts to flush the stores whose committed changes have waited for `wait_ms`. After a kill, only newer changes
    /// must be replayed.
    pub(crate) fn flush_waiting(&self, now_ms: i64, wait_ms: i64) -> Result<(), TaskError> {
        let mut waiting = self.handles.values().filter(|handle| handle.has_waited(now_ms, wait_ms));
        waiting.try_for_each(StoreHandle::begin_flush).map_err(|error| self.error(error))
    }

    /// Notes on disk at intervals that a running task's stores agree with their changelogs. This includes stores
    /// without writes: otherwise an unchanged store would seem to have missed records.
    pub(crate) fn note_all_current(&self, wall_ms: i64) -> Result<(), TaskError> {
        let note = |handle: &StoreHandle| {
            let noted = handle.with_store(ByteStore::current_at)?;
            if noted.is_some_and(|noted| (0..DURABLE_EVERY_MS).contains(&(wall_ms - noted))) {
                return Ok(());
            }
            handle.set_current_at(wall_ms)?;
            handle.begin_flush()
        };
        self.logged().try_for_each(|(_, handle, _)| note(handle)).map_err(|error| self.error(error))
    }

    pub(super) fn note_current(&self, handle: &StoreHandle, wall_ms: i64) -> Result<(), TaskError> {
        let noted = handle.with_store(ByteStore::current_at).map_err(|error| self.error(error))?;
        // Also after the wall clock was set back, because a note from the future would be valid for too long.
        if noted.is_none_or(|noted| !(noted..noted.saturating_add(CURRENT_EVERY_MS)).contains(&wall_ms)) {
            handle.set_current_at(wall_ms).map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    /// Drops everything uncommitted.
    pub(crate) fn roll_back(&self) {
        self.forget_answers();
        self.handles.values().for_each(StoreHandle::roll_back);
    }

    /// Flushes all committed changes, so that a restart needs no replay.
    pub(crate) fn flush(&self) -> Result<(), TaskError> {
        self.handles.values().try_for_each(StoreHandle::flush).map_err(|error| self.error(error))
    }

    pub(crate) fn overlay_bytes(&self) -> usize {
        self.handles.values().map(|handle| handle.with_store(ByteStore::overlay_bytes)).sum()
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.handles.values().any(|handle| handle.with_store(ByteStore::is_dirty))
    }

    /// Turns a store's error into the task's error.
    pub(crate) fn error(&self, source: StoreError) -> TaskError {
        TaskError::of_store(self.task, source)
    }
}

fn open_store(spec: &StoreSpec, task: TaskId, supplier: &dyn StoreSupplier) -> Result<StoreHandle, StoreError> {
    let mut store = ByteStore::new(spec.name.clone(), supplier.open(task, spec)?);
    compare_writers(spec, &mut store)?;
    Ok(match spec.kind {
        StoreKind::KeyValue => StoreHandle::KeyValue(Rc::new(RefCell::new(store))),
        StoreKind::Window { retention_ms, by_key } => {
            let store = ByteWindowStore::new(store, retention_ms)?.with_ends_by_key(by_key);
            StoreHandle::Window(Rc::new(RefCell::new(store)))
        }
        StoreKind::Session { retention_ms } => {
            StoreHandle::Session(Rc::new(RefCell::new(ByteSessionStore::new(store, retention_ms))))
        }
        StoreKind::Versioned { history_retention_ms } => {
            StoreHandle::Versioned(Rc::new(RefCell::new(ByteVersionedStore::new(store, history_retention_ms)?)))
        }
    })
}
