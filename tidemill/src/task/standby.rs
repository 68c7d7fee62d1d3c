//! A standby: follows the changelogs of a task that another instance runs.

use std::collections::BTreeMap;

use tidemill_state::{ByteWindowStore, StoreError};

use super::{PortableStores, TaskStores, followed::Followed, restore::Restore, stores::DURABLE_EVERY_MS};
use crate::{
    error::TaskError,
    graph::StoreName,
    operators::{StoreHandle, WindowClock},
    plan::TaskId,
    transport::{ConsumedRecord, Offset, TopicPartition, Watermarks},
};

/// The bounds of each changelog.
pub(crate) type ChangelogBounds = BTreeMap<TopicPartition, Watermarks>;

/// A task's stores that follow their changelogs. A standby never writes to a changelog, and reads only committed
/// records.
pub(crate) struct StandbyTask {
    stores: PortableStores,
    followed: Vec<Followed>,
}

impl StandbyTask {
    /// Begins at the stores' positions. A store that its changelog does not continue begins again from empty.
    pub(crate) fn begin(mut stores: PortableStores, bounds: &ChangelogBounds, wall_ms: i64) -> Result<Self, TaskError> {
        let followed = stores.with(|stores| {
            let begin = |name: &StoreName, changelog: &TopicPartition, bounds: Watermarks| {
                let Watermarks { low, high } = bounds;
                let (checkpoint, whole_ms) = stores.whole_at(name)?;
                let age_ms = whole_ms.map(|at| wall_ms - at);
                let (next, whole_ms) = match Restore::decide(checkpoint, age_ms, low, high) {
                    Restore::Current => (high, wall_ms),
                    Restore::From(next) => (next, whole_ms.unwrap_or(wall_ms)),
                    Restore::Rebuild => {
                        stores.clear(name, wall_ms)?;
                        (low, wall_ms)
                    }
                };
                let (store, changelog) = (name.clone(), changelog.clone());
                let (looked_ms, expired_before) = (wall_ms, expired_by_notes(stores, name)?.unwrap_or(0));
                Ok(Followed { store, changelog, next, end: high, looked_ms, whole_ms, expired_before, noted_ms: None })
            };
            let followed = stores
                .logged()
                .filter_map(|(name, _, changelog)| Some(begin(name, changelog, *bounds.get(changelog)?)));
            followed.collect::<Result<_, TaskError>>()
        });
        Ok(Self { followed: followed?, stores })
    }

    pub(crate) fn id(&self) -> TaskId {
        self.stores.task
    }

    /// The next offset to read of each changelog.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (&TopicPartition, Offset)> {
        self.followed.iter().map(|followed| (&followed.changelog, followed.next))
    }

    /// Changelogs that held more records than the store at the last look.
    pub(crate) fn behind(&self) -> impl Iterator<Item = &TopicPartition> {
        self.followed.iter().filter(|followed| followed.next < followed.end).map(|followed| &followed.changelog)
    }

    /// How many changelog offsets the stores are behind, as of the last look.
    pub(crate) fn lag(&self) -> i64 {
        self.followed.iter().map(|followed| (followed.end - followed.next).max(0)).sum()
    }

    /// Applies records of a changelog, and drops windows that have expired by them. `true` if the store has to begin
    /// again from empty, because it dropped windows that its owner still needs.
    pub(crate) fn apply(
        &mut self,
        changelog: &TopicPartition,
        records: Vec<ConsumedRecord>,
    ) -> Result<bool, TaskError> {
        let Some(followed) = self.followed.iter_mut().find(|followed| followed.changelog == *changelog) else {
            return Ok(false);
        };
        self.stores.with(|stores| {
            followed.next = stores.replay(&followed.store, records, followed.next)?;
            if !lacks_windows(stores, &followed.store, followed.expired_before)? {
                return expire(stores, followed).map(|()| false);
            }
            stores.clear(&followed.store, followed.looked_ms)?;
            // Until it has read this far again, it must not expire windows by the same record.
            followed.end = followed.end.max(followed.next);
            (followed.next, followed.whole_ms, followed.noted_ms) = (0, followed.looked_ms, None);
            followed.expired_before = 0;
            Ok(true)
        })
    }

    /// A changelog has been read up to `position`, which need not follow a record.
    pub(crate) fn reach(&mut self, changelog: &TopicPartition, position: Offset) -> Result<(), TaskError> {
        let found = self.followed.iter_mut().find(|followed| followed.changelog == *changelog);
        let Some(followed) = found.filter(|followed| followed.next < position) else { return Ok(()) };
        self.stores.with(|stores| {
            followed.next = stores.replay(&followed.store, Vec::new(), position)?;
            expire(stores, followed)
        })
    }

    /// Takes up a changelog's current bounds. `true` if the store had to begin again from empty.
    pub(crate) fn look(
        &mut self,
        changelog: &TopicPartition,
        Watermarks { low, high }: Watermarks,
        wall_ms: i64,
    ) -> Result<bool, TaskError> {
        let Some(followed) = self.followed.iter_mut().find(|followed| followed.changelog == *changelog) else {
            return Ok(false);
        };
        if followed.next >= followed.end {
            followed.whole_ms = followed.looked_ms;
        }
        let anew = match Restore::decide(Some(followed.next), Some(wall_ms - followed.whole_ms), low, high) {
            Restore::Rebuild => {
                self.stores.with(|stores| stores.clear(&followed.store, wall_ms))?;
                (followed.next, followed.whole_ms, followed.noted_ms) = (low, wall_ms, None);
                followed.expired_before = 0;
                true
            }
            Restore::Current => {
                followed.whole_ms = wall_ms;
                false
            }
            Restore::From(_) => false,
        };
        (followed.end, followed.looked_ms) = (high, wall_ms);
        Ok(anew)
    }

    /// Starts to flush the stores whose changes have waited for `wait_ms`, with a note of `whole_ms`. The note is also
    /// renewed regularly without changes. Otherwise a store that has not changed for long would seem to have missed
    /// records.
    pub(crate) fn flush_waiting(&mut self, now_ms: i64, wait_ms: i64) -> Result<(), TaskError> {
        let Self { stores, followed } = self;
        stores.with(|stores| {
            for followed in followed {
                let handle = &stores.handles[&followed.store];
                let is_old = followed.noted_ms.is_none_or(|noted_ms| followed.whole_ms - noted_ms >= DURABLE_EVERY_MS);
                if is_old || handle.has_waited(now_ms, wait_ms) {
                    stores.note_whole(&followed.store, followed.whole_ms)?;
                    followed.noted_ms = Some(followed.whole_ms);
                    handle.begin_flush().map_err(|error| stores.error(error))?;
                }
            }
            Ok(())
        })
    }

    /// The stores, in the state of the changelogs' read positions.
    pub(crate) fn stores(&mut self) -> &mut PortableStores {
        &mut self.stores
    }

    /// Stops following, and returns the stores and positions to run the task.
    pub(crate) fn into_parts(self) -> (PortableStores, Vec<Followed>) {
        (self.stores, self.followed)
    }
}

/// The windows that the task's owner has expired start before this time, according to its notes in the changelog.
fn expired_by_notes(stores: &TaskStores, name: &StoreName) -> Result<Option<i64>, TaskError> {
    let StoreHandle::Window(store) = &stores.handles[name] else { return Ok(None) };
    WindowClock::expired_below_in(&store.borrow()).map_err(|error| stores.error(error))
}

/// Whether a store that dropped the windows before a time lacks windows that the task's owner still needs. An owner's
/// time never falls. If the time in a changelog falls, the later time was a stray: it came from a replaced member.
pub(super) fn lacks_windows(stores: &TaskStores, name: &StoreName, dropped_before: i64) -> Result<bool, TaskError> {
    Ok(expired_by_notes(stores, name)?.is_some_and(|before| before < dropped_before))
}

/// Drops the windows that the task's owner has expired. A store that is behind does not: the rest of its changelog may
/// tell an earlier time.
fn expire(stores: &TaskStores, followed: &mut Followed) -> Result<(), TaskError> {
    let StoreHandle::Window(store) = &stores.handles[&followed.store] else { return Ok(()) };
    let Some(before) = expired_by_notes(stores, &followed.store)?.filter(|_| followed.next >= followed.end) else {
        return Ok(());
    };
    let expire = |store: &mut ByteWindowStore| -> Result<(), StoreError> {
        store.expire_before(before);
        store.commit(None)
    };
    expire(&mut store.borrow_mut()).map_err(|error| stores.error(error))?;
    followed.expired_before = before;
    Ok(())
}

#[cfg(test)]
mod tests;
