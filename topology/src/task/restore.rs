//! Replays a changelog into a store until they agree.

use tidemill_state::Store;

use super::TaskStores;
use crate::{
    error::TaskError,
    graph::StoreName,
    transport::{ConsumedRecord, Offset, Reader, TopicPartition},
};

/// What a store needs before its task may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restore {
    /// Nothing: it has all that its changelog holds.
    Current,
    /// The changelog's tail from here.
    From(Offset),
    /// Everything: it has nothing, or something that its changelog does not continue.
    Rebuild,
}

impl Restore {
    /// Compares a store's checkpoint with its changelog.
    pub(crate) fn decide(checkpoint: Option<Offset>, low: Offset, high: Offset) -> Self {
        match checkpoint {
            Some(at) if at == high => Self::Current,
            None if low == high => Self::Current,
            Some(at) if at < high && at >= low => Self::From(at),
            // Below: records were deleted that the store never saw. Above: it is not the changelog it was.
            Some(_) | None => Self::Rebuild,
        }
    }
}

/// A store on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreRestore {
    pub(crate) store: StoreName,
    pub(crate) changelog: TopicPartition,
    pub(crate) next: Offset,
    pub(crate) end: Offset,
}

impl StoreRestore {
    /// What each store of a task has to replay. Stores that must be rebuilt are emptied.
    pub(crate) fn plan(stores: &TaskStores, reader: &mut dyn Reader) -> Result<Vec<Self>, TaskError> {
        let mut plans = Vec::new();
        for (name, handle, changelog) in stores.logged() {
            let (low, high) = reader.watermarks(changelog)?;
            let checkpoint = handle.with_store(Store::checkpoint).map_err(|error| stores.error(error))?;
            let next = match Restore::decide(checkpoint, low, high) {
                Restore::Current => continue,
                Restore::From(next) => next,
                Restore::Rebuild => {
                    handle.clear().map_err(|error| stores.error(error))?;
                    low
                }
            };
            plans.push(Self { store: name.clone(), changelog: changelog.clone(), next, end: high });
        }
        Ok(plans)
    }

    /// Begins again with an empty store, where the changelog now begins.
    pub(crate) fn start_over(&mut self, stores: &TaskStores, low: Offset) -> Result<(), TaskError> {
        stores.handles[&self.store].clear().map_err(|error| stores.error(error))?;
        self.next = low;
        self.end = self.end.max(low);
        Ok(())
    }

    /// Applies records.
    pub(crate) fn apply(&mut self, stores: &TaskStores, records: Vec<ConsumedRecord>) -> Result<(), TaskError> {
        let handle = &stores.handles[&self.store];
        let mut changes = Default::default();
        for record in records {
            self.next = record.offset + 1;
            if let Some(key) = record.key {
                handle.read_change(key, record.value, record.timestamp, &mut changes);
            }
        }
        handle.restore(changes, self.next).map_err(|error| stores.error(error))
    }

    /// The changelog has been read up to `position`. `true` once the store agrees with its changelog as it was when
    /// the plan was made.
    pub(crate) fn reach(&mut self, stores: &TaskStores, position: Offset) -> Result<bool, TaskError> {
        if self.next < self.end && position >= self.end {
            self.next = position;
            stores.handles[&self.store].restore(Default::default(), position).map_err(|error| stores.error(error))?;
        }
        Ok(self.next >= self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_replays_only_what_its_changelog_has_beyond_it() {
        assert_eq!(Restore::decide(Some(7), 0, 7), Restore::Current);
        assert_eq!(Restore::decide(Some(5), 0, 7), Restore::From(5));
        assert_eq!(Restore::decide(None, 0, 0), Restore::Current);
        assert_eq!(Restore::decide(None, 0, 7), Restore::Rebuild);
    }

    #[test]
    fn a_store_that_its_changelog_does_not_continue_is_rebuilt() {
        assert_eq!(Restore::decide(Some(2), 3, 7), Restore::Rebuild);
        assert_eq!(Restore::decide(Some(9), 0, 7), Restore::Rebuild);
    }
}
