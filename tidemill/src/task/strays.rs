//! Strays: records that a replaced owner wrote to a changelog behind what the present owner had read of it.
//!
//! Without transactions, no log can refuse them: a thread that hangs in a flush may send its changelog records long
//! after its session. The present owner's state is the right one, because it belongs to the offsets that this owner
//! commits. So the present owner writes its state again behind the strays.
//!
//! A flush finds strays by the growth of the changelog. From then on, the store keeps its earlier checkpoint until a
//! flush has brought the whole answer to the changelog. The stretch may be long, so it is read and answered in pieces,
//! with commits in between.

use std::collections::BTreeMap;

use tidemill_state::{ByteStore, ByteVersionedStore, StoreError};

use super::{TaskStores, stores::Changes};
use crate::{
    error::TaskError,
    graph::StoreName,
    operators::StoreHandle,
    transport::{ConsumedRecord, Offset, TopicPartition},
};

/// A stretch of a store's changelog with strays among the store's own records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strays {
    from: Offset,
    /// The state was written again where the records before this offset tell otherwise.
    answered: Offset,
    /// The offset after the stretch.
    to: Offset,
}

impl Strays {
    fn between(from: Offset, to: Offset) -> Self {
        Self { from, answered: from, to }
    }

    fn are_answered(&self) -> bool {
        self.answered >= self.to
    }
}

/// The part of a changelog that must be read to answer strays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unanswered {
    store: StoreName,
    pub(crate) changelog: TopicPartition,
    pub(crate) from: Offset,
    /// The offset after the part.
    pub(crate) to: Offset,
}

impl TaskStores {
    /// Notes where a store's changelog ends, as far as the store knows. Returns the end noted before.
    pub(super) fn note_end(&self, name: &StoreName, end: Offset) -> Option<Offset> {
        self.ends.borrow_mut().insert(name.clone(), end)
    }

    /// Takes note of a flush: it wrote `sent` records of a store, and behind them the changelog ends at `end`. If the
    /// changelog grew by more, it has strays. Returns whether the store agrees with its changelog.
    pub(super) fn flushed(&self, name: &StoreName, sent: usize, end: Offset) -> bool {
        let before = self.note_end(name, end);
        let mut strays = self.strays.borrow_mut();
        // Nothing is written again during a flush. So the answer is in the flush, or there is none yet.
        if strays.get(name).is_some_and(Strays::are_answered) {
            strays.remove(name);
        }
        if let Some(before) = before.filter(|before| end - before > Offset::try_from(sent).unwrap_or(Offset::MAX)) {
            let (task, changelog) = (self.task, &self.changelogs[name]);
            tracing::warn!(%task, %changelog, from = before, to = end, "a replaced member wrote to the changelog");
            strays.entry(name.clone()).or_insert_with(|| Strays::between(before, end)).to = end;
        }
        !strays.contains_key(name)
    }

    /// Whether strays wait for an answer.
    pub(crate) fn has_unanswered(&self) -> bool {
        self.strays.borrow().values().any(|strays| !strays.are_answered())
    }

    /// The first part of a changelog whose strays wait for an answer.
    pub(crate) fn unanswered(&self) -> Option<Unanswered> {
        let strays = self.strays.borrow();
        let (store, Strays { answered, to, .. }) = strays.iter().find(|(_, strays)| !strays.are_answered())?;
        let (store, changelog) = (store.clone(), self.changelogs[store].clone());
        Some(Unanswered { store, changelog, from: *answered, to: *to })
    }

    /// Writes a store's state again where these records tell otherwise. The changelog has no other records between the
    /// beginning of the part and `position`. The next commit brings the state to the changelog.
    pub(crate) fn answer(
        &self,
        Unanswered { store: name, .. }: &Unanswered,
        records: Vec<ConsumedRecord>,
        position: Offset,
    ) -> Result<(), TaskError> {
        let handle = &self.handles[name];
        let mut told = Changes::default();
        for record in records {
            if let Some(key) = record.key {
                handle.read_change(key, record.value, record.timestamp, &mut told);
            }
        }
        let written = match handle {
            StoreHandle::Versioned(store) => write_versions_again(&mut store.borrow_mut(), told),
            StoreHandle::KeyValue(_) | StoreHandle::Window(_) | StoreHandle::Session(_) => {
                handle.with_store_mut(|store| write_again(store, told))
            }
        };
        written.map_err(|error| self.error(error))?;
        if let Some(strays) = self.strays.borrow_mut().get_mut(name) {
            strays.answered = position;
        }
        self.agree(name)
    }

    /// Moves a store's checkpoint over answered strays, if nothing of the answer waits for a commit: the strays changed
    /// nothing, or earlier commits brought the whole answer to the changelog.
    pub(super) fn agree(&self, name: &StoreName) -> Result<(), TaskError> {
        let (mut strays, handle) = (self.strays.borrow_mut(), &self.handles[name]);
        if !strays.get(name).is_some_and(Strays::are_answered) || handle.with_store(ByteStore::is_dirty) {
            return Ok(());
        }
        strays.remove(name);
        let end = self.ends.borrow()[name];
        // The store is in use, so nothing but its checkpoint is restored.
        let noted = handle.with_store_mut(|store| store.restore(Vec::new(), Vec::new(), end));
        noted.map_err(|error| self.error(error))
    }

    /// After a rollback, the answer is given again.
    pub(super) fn forget_answers(&self) {
        self.strays.borrow_mut().values_mut().for_each(|strays| strays.answered = strays.from);
    }

    /// The offset of a changelog behind which a store continues, if its checkpoint is too early: the store does not
    /// take up strays.
    pub(super) fn behind_strays(&self, name: &StoreName) -> Option<Offset> {
        self.strays.borrow().get(name).map(|strays| strays.to)
    }

    /// Forgets the strays of a store that is rebuilt from its changelog.
    pub(super) fn take_up_strays(&self, name: &StoreName) {
        self.strays.borrow_mut().remove(name);
    }
}

fn write_again(store: &mut ByteStore, (rows, notes): Changes) -> Result<(), StoreError> {
    // Of several records with the same key, the last one counts.
    for (key, told) in rows.into_iter().collect::<BTreeMap<_, _>>() {
        let row = store.get(&key)?;
        if row != told {
            // Also below a row that is not committed yet: if that row is forgotten, the deletion takes effect again.
            store.delete(key.clone());
            if let Some(row) = row {
                store.put(key, row);
            }
        }
    }
    for (name, told) in notes.into_iter().collect::<BTreeMap<_, _>>() {
        if let Some(value) = store.meta(&name)?.filter(|value| *value != told) {
            store.set_meta(&name, value);
        }
    }
    Ok(())
}

/// As [`write_again`]. A changelog cannot tell that a version does not exist. So the version before it is written in its
/// place, which means the same.
fn write_versions_again(store: &mut ByteVersionedStore, (rows, _): Changes) -> Result<(), StoreError> {
    for (local, told) in rows.into_iter().collect::<BTreeMap<_, _>>() {
        match store.store().get(&local)? {
            row if row == told => {}
            Some(row) => store.store_mut().put(local, row),
            None => store.repeat_before(&local)?,
        }
    }
    Ok(())
}

impl StoreHandle {
    fn with_store_mut<R>(&self, write: impl FnOnce(&mut ByteStore) -> R) -> R {
        match self {
            Self::KeyValue(store) => write(&mut store.borrow_mut()),
            Self::Window(store) => write(store.borrow_mut().store_mut()),
            Self::Session(store) => write(store.borrow_mut().rows_mut()),
            Self::Versioned(store) => write(store.borrow_mut().store_mut()),
        }
    }
}

#[cfg(test)]
mod tests;
