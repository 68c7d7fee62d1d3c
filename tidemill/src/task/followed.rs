//! How far a store of a standby has followed its changelog.

use crate::{
    graph::StoreName,
    transport::{Offset, TopicPartition},
};

/// A store and its position in its changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) store: StoreName,
    pub(crate) changelog: TopicPartition,
    /// The next offset to apply.
    pub(crate) next: Offset,
    /// The changelog's end at the last look.
    pub(super) end: Offset,
    /// The wall time of the last look.
    pub(super) looked_ms: i64,
    /// When the store last had all records of its changelog, or began empty. Since then it has missed no deletion.
    pub(super) whole_ms: i64,
    /// The store has dropped the windows that start before this time.
    pub(super) expired_before: i64,
    /// The value of `whole_ms` that was last noted in the store.
    pub(super) noted_ms: Option<i64>,
}

impl Followed {
    /// The store's position and the time since which it has missed no deletion, for the plan of a restore.
    pub(crate) fn place(&self) -> (Option<Offset>, Option<i64>) {
        (Some(self.next), Some(if self.next >= self.end { self.looked_ms } else { self.whole_ms }))
    }
}
