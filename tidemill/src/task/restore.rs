//! Replays a changelog into a store until both agree.

use super::{TaskStores, followed::Followed, standby::lacks_windows};
use crate::{
    clock::Moment,
    error::TaskError,
    graph::StoreName,
    transport::{ConsumedRecord, Offset, Reader, TopicPartition, TransportError, Watermarks},
};

/// How long a changelog certainly keeps a tombstone: somewhat less than the day for which logs keep it.
const TOMBSTONES_KEPT_MS: i64 = 20 * 3_600_000;

/// If a restore gets no records for this long, it looks at the end of its changelog again.
const STALLED_MS: i64 = 10_000;

/// The bounds of a changelog, including records of open transactions: a store may contain such records already.
pub(crate) fn changelog_bounds(
    reader: &mut dyn Reader,
    changelog: &TopicPartition,
) -> Result<Watermarks, TransportError> {
    let low = reader.watermarks(changelog)?.low;
    Ok(Watermarks { low, high: reader.end(changelog)? })
}

/// What a store must replay before its task may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restore {
    /// Nothing. The store has all records of its changelog.
    Current,
    /// The changelog from this offset on.
    From(Offset),
    /// The whole changelog. The store is empty, or its changelog does not continue it.
    Rebuild,
}

impl Restore {
    /// Compares a store's checkpoint with its changelog. `age_ms` tells since how long the store has missed no
    /// deletion.
    pub(crate) fn decide(checkpoint: Option<Offset>, age_ms: Option<i64>, low: Offset, high: Offset) -> Self {
        // A log keeps its last record, however old it is. After a store's own last transaction, this record is the
        // transaction's end marker. So a store is not rebuilt if its changelog got no record since.
        let has_last_only = |at: Offset| at + 1 == high;
        let sees_deletions = |at| age_ms.is_some_and(|age| age < TOMBSTONES_KEPT_MS || has_last_only(at));
        match checkpoint {
            Some(at) if at == high => Self::Current,
            Some(at) if at < high && at >= low && sees_deletions(at) => Self::From(at),
            // Below `low`: the log deleted records that the store never saw. Above `high`: the changelog is not the
            // same one. Too old: compaction may have dropped a tombstone, and the store would keep a deleted row.
            Some(_) => Self::Rebuild,
            None if low == high => Self::Current,
            None => Self::Rebuild,
        }
    }
}

/// A restore of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreRestore {
    pub(crate) store: StoreName,
    pub(crate) changelog: TopicPartition,
    pub(crate) next: Offset,
    pub(crate) end: Offset,
    /// The store has dropped the windows that start before this time, as a standby.
    expired_before: i64,
    pub(crate) moved: Moved,
}

/// The last move of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The position.
    pub(crate) to: Offset,
    /// The monotonic time since which the position is the same.
    pub(crate) since_ms: i64,
}

impl StoreRestore {
    /// The restores that a task's stores need. Stores that must be rebuilt are emptied. Stores in `followed` continue
    /// from their standby's position; other stores continue from their checkpoint.
    pub(crate) fn plan(
        stores: &TaskStores,
        followed: &[Followed],
        reader: &mut dyn Reader,
        now: Moment,
    ) -> Result<Vec<Self>, TaskError> {
        let Moment { wall_ms, monotonic_ms } = now;
        let mut plans = Vec::new();
        for (name, _, changelog) in stores.logged() {
            let Watermarks { low, high } = changelog_bounds(reader, changelog)?;
            let followed = followed.iter().find(|followed| followed.store == *name);
            let (checkpoint, whole_ms) = match followed {
                Some(followed) => followed.place(),
                None => stores.whole_at(name)?,
            };
            let (next, expired_before) = match Restore::decide(checkpoint, whole_ms.map(|at| wall_ms - at), low, high) {
                Restore::Current => {
                    stores.note_end(name, high);
                    if followed.is_some() {
                        stores.note_whole(name, wall_ms)?;
                    }
                    continue;
                }
                Restore::From(next) => (next, followed.map_or(0, |followed| followed.expired_before)),
                Restore::Rebuild => {
                    stores.clear(name, wall_ms)?;
                    (low, 0)
                }
            };
            let moved = Moved { to: next, since_ms: monotonic_ms };
            let (store, changelog) = (name.clone(), changelog.clone());
            plans.push(Self { store, changelog, next, end: high, expired_before, moved });
        }
        Ok(plans)
    }

    /// Begins again with an empty store, at the changelog's present start.
    pub(crate) fn start_over(
        &mut self,
        stores: &TaskStores,
        bounds: Watermarks,
        wall_ms: i64,
    ) -> Result<(), TaskError> {
        stores.clear(&self.store, wall_ms)?;
        (self.next, self.end, self.expired_before) = (bounds.low, bounds.high, 0);
        Ok(())
    }

    /// Whether the reader's `position` has not moved for a while. Then the changelog's end is looked at again: if a
    /// broker that lacks the last records was elected leader, the changelog is shorter now.
    pub(crate) fn stalls(&mut self, position: Offset, now_ms: i64) -> bool {
        let Moved { to, since_ms } = self.moved;
        let stalls = to == position && now_ms - since_ms >= STALLED_MS;
        if to != position || stalls {
            self.moved = Moved { to: position, since_ms: now_ms };
        }
        stalls
    }

    /// Handles a changelog that has become shorter. `true` if it must be read again from another position.
    pub(crate) fn cut(&mut self, stores: &TaskStores, bounds: Watermarks, wall_ms: i64) -> Result<bool, TaskError> {
        let end = bounds.high;
        if end >= self.end {
            return Ok(false);
        }
        tracing::warn!(changelog = %self.changelog, was = self.end, is = end, "the changelog was cut off");
        if end < self.next {
            self.start_over(stores, bounds, wall_ms)?;
            return Ok(true);
        }
        self.end = end;
        Ok(false)
    }

    /// Whether the store, as a standby, dropped windows by the record of a replaced member, and the task needs them.
    pub(crate) fn lacks_windows(&self, stores: &TaskStores) -> Result<bool, TaskError> {
        lacks_windows(stores, &self.store, self.expired_before)
    }

    /// Applies records.
    pub(crate) fn apply(&mut self, stores: &TaskStores, records: Vec<ConsumedRecord>) -> Result<(), TaskError> {
        self.next = stores.replay(&self.store, records, self.next)?;
        Ok(())
    }

    /// The changelog has been read up to `position`. `true` once the store agrees with its changelog as it was at the
    /// time of the plan.
    pub(crate) fn reach(&mut self, stores: &TaskStores, position: Offset, wall_ms: i64) -> Result<bool, TaskError> {
        if self.next < self.end && position >= self.end {
            self.next = stores.replay(&self.store, Vec::new(), position)?;
        }
        if self.next < self.end {
            return Ok(false);
        }
        stores.note_end(&self.store, self.next);
        // Only now, because the rest of the changelog may hold deletions as old as the store.
        stores.note_whole(&self.store, wall_ms)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_replays_only_what_its_changelog_has_beyond_it() {
        assert_eq!(Restore::decide(Some(7), None, 0, 7), Restore::Current);
        assert_eq!(Restore::decide(Some(5), Some(0), 0, 7), Restore::From(5));
        assert_eq!(Restore::decide(None, None, 0, 0), Restore::Current);
        assert_eq!(Restore::decide(None, None, 0, 7), Restore::Rebuild);
    }

    #[test]
    fn a_store_that_lacks_the_last_record_alone_is_not_rebuilt_however_long_it_was_away() {
        // After its last transaction, a closed store lacks only the transaction's end marker.
        assert_eq!(Restore::decide(Some(6), Some(i64::MAX), 0, 7), Restore::From(6));
        assert_eq!(Restore::decide(Some(6), None, 0, 7), Restore::Rebuild, "it was never whole");
    }

    #[test]
    fn a_restore_that_gets_nothing_looks_again_now_and_then() {
        let changelog = TopicPartition::new("changelog", 0);
        let (store, moved) = ("store".into(), Moved { to: 0, since_ms: 0 });
        let mut restore = StoreRestore { store, changelog, next: 0, end: 9, expired_before: 0, moved };
        let mut stalls = |position, now_ms| restore.stalls(position, now_ms);
        assert!(!stalls(0, STALLED_MS - 1));
        assert!(stalls(0, STALLED_MS));
        assert!(!stalls(0, STALLED_MS + 1));
        assert!(!stalls(5, STALLED_MS * 2) && !stalls(5, STALLED_MS * 3 - 1));
        assert!(stalls(5, STALLED_MS * 3));
    }

    #[test]
    fn a_store_that_its_changelog_does_not_continue_is_rebuilt() {
        assert_eq!(Restore::decide(Some(2), Some(0), 3, 7), Restore::Rebuild);
        assert_eq!(Restore::decide(Some(9), Some(0), 0, 7), Restore::Rebuild);
        assert_eq!(Restore::decide(Some(5), Some(TOMBSTONES_KEPT_MS), 0, 7), Restore::Rebuild);
        assert_eq!(Restore::decide(Some(5), None, 0, 7), Restore::Rebuild);
    }
}
