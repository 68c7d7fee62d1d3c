//! Replays a changelog into a store until they agree.

use super::{TaskStores, standby::Followed};
use crate::{
    clock::Moment,
    error::TaskError,
    graph::StoreName,
    transport::{ConsumedRecord, Offset, Reader, TopicPartition, TransportError},
};

/// For how long a changelog certainly tells of a deletion: somewhat less than the day for which logs keep tombstones.
const TOMBSTONES_KEPT_MS: i64 = 20 * 3_600_000;

/// How long a restore may get nothing before the end of its changelog is looked at again.
const STALLED_MS: i64 = 10_000;

/// Where a changelog begins and ends, what is not decided yet included: a store may have it before it is.
pub(crate) fn changelog_bounds(
    reader: &mut dyn Reader,
    changelog: &TopicPartition,
) -> Result<(Offset, Offset), TransportError> {
    let (low, _) = reader.watermarks(changelog)?;
    Ok((low, reader.end(changelog)?))
}

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
    /// Compares a store's checkpoint with its changelog, given since how long it has missed no deletion.
    pub(crate) fn decide(checkpoint: Option<Offset>, age_ms: Option<i64>, low: Offset, high: Offset) -> Self {
        // A log keeps its last record, however old. After a store's own last transaction that is the mark of its end: a
        // store whose changelog got nothing since is not rebuilt.
        let has_last_only = |at: Offset| at + 1 == high;
        let sees_deletions = |at| age_ms.is_some_and(|age| age < TOMBSTONES_KEPT_MS || has_last_only(at));
        match checkpoint {
            Some(at) if at == high => Self::Current,
            Some(at) if at < high && at >= low && sees_deletions(at) => Self::From(at),
            // Below: records were deleted that the store never saw. Above: it is not the changelog it was. Too long
            // ago: compaction may have dropped a tombstone, and the store would keep what it deleted.
            Some(_) => Self::Rebuild,
            None if low == high => Self::Current,
            None => Self::Rebuild,
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
    /// How far the changelog was read when that last moved, and when it was by monotonic time.
    pub(crate) moved: (Offset, i64),
}

impl StoreRestore {
    /// What each store of a task has to replay. Stores that must be rebuilt are emptied. Those that were `followed`
    /// until now go on from there; the others know themselves how far they are.
    pub(crate) fn plan(
        stores: &TaskStores,
        followed: &[Followed],
        reader: &mut dyn Reader,
        now: Moment,
    ) -> Result<Vec<Self>, TaskError> {
        let Moment { wall_ms, monotonic_ms } = now;
        let mut plans = Vec::new();
        for (name, _, changelog) in stores.logged() {
            let (low, high) = changelog_bounds(reader, changelog)?;
            let followed = followed.iter().find(|followed| followed.store == *name);
            let (checkpoint, whole_ms) = match followed {
                Some(followed) => followed.place(),
                None => stores.whole_at(name)?,
            };
            let next = match Restore::decide(checkpoint, whole_ms.map(|at| wall_ms - at), low, high) {
                Restore::Current if followed.is_some() => {
                    stores.note_whole(name, wall_ms)?;
                    continue;
                }
                Restore::Current => continue,
                Restore::From(next) => next,
                Restore::Rebuild => {
                    stores.clear(name, wall_ms)?;
                    low
                }
            };
            let moved = (next, monotonic_ms);
            plans.push(Self { store: name.clone(), changelog: changelog.clone(), next, end: high, moved });
        }
        Ok(plans)
    }

    /// Begins again with an empty store, where the changelog now begins.
    pub(crate) fn start_over(
        &mut self,
        stores: &TaskStores,
        (low, end): (Offset, Offset),
        wall_ms: i64,
    ) -> Result<(), TaskError> {
        stores.clear(&self.store, wall_ms)?;
        (self.next, self.end) = (low, end);
        Ok(())
    }

    /// Whether nothing has come for a while, with the changelog read up to `position`. Then its end is worth another
    /// look: an election of a broker that lacks the last records cuts it off.
    pub(crate) fn stalls(&mut self, position: Offset, now_ms: i64) -> bool {
        let (at, since_ms) = self.moved;
        let stalls = at == position && now_ms - since_ms >= STALLED_MS;
        if at != position || stalls {
            self.moved = (position, now_ms);
        }
        stalls
    }

    /// The changelog ends there: what it had beyond that is gone. Whether it must be read from elsewhere.
    pub(crate) fn cut(
        &mut self,
        stores: &TaskStores,
        (low, end): (Offset, Offset),
        wall_ms: i64,
    ) -> Result<bool, TaskError> {
        if end >= self.end {
            return Ok(false);
        }
        tracing::warn!(changelog = %self.changelog, was = self.end, is = end, "the changelog was cut off");
        if end < self.next {
            self.start_over(stores, (low, end), wall_ms)?;
            return Ok(true);
        }
        self.end = end;
        Ok(false)
    }

    /// Applies records.
    pub(crate) fn apply(&mut self, stores: &TaskStores, records: Vec<ConsumedRecord>) -> Result<(), TaskError> {
        self.next = stores.replay(&self.store, records, self.next)?;
        Ok(())
    }

    /// The changelog has been read up to `position`. `true` once the store agrees with its changelog as it was when
    /// the plan was made.
    pub(crate) fn reach(&mut self, stores: &TaskStores, position: Offset, wall_ms: i64) -> Result<bool, TaskError> {
        if self.next < self.end && position >= self.end {
            self.next = stores.replay(&self.store, Vec::new(), position)?;
        }
        if self.next < self.end {
            return Ok(false);
        }
        // Not before: on the way, the changelog's tail may hold deletions as old as the store was.
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
        // What a closed store lacks on a log with transactions: the mark that ends the one that wrote it last.
        assert_eq!(Restore::decide(Some(6), Some(i64::MAX), 0, 7), Restore::From(6));
        assert_eq!(Restore::decide(Some(6), None, 0, 7), Restore::Rebuild, "it was never whole");
    }

    #[test]
    fn a_restore_that_gets_nothing_looks_again_now_and_then() {
        let changelog = TopicPartition::new("changelog", 0);
        let mut restore = StoreRestore { store: "store".into(), changelog, next: 0, end: 9, moved: (0, 0) };
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
