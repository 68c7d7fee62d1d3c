//! A consumer's partitions and its position in each of them.

use std::sync::{Arc, atomic::Ordering};

use super::fetch::{Cursor, fetch};
use crate::transport::embedded::{group::Group, log::broker::Broker, log::partition::Partition, log::topics::Topics};
use crate::transport::{Fetched, Offset, Rebalance, TopicPartition, TransportError};

/// The partitions that a consumer knows it owns.
#[derive(Default)]
pub(in crate::transport::embedded) struct Holdings {
    /// The owned partitions, sorted by name.
    held: Vec<Held>,
    /// The partition at which the next fetch starts. It rotates, so no partition is always last.
    turn: usize,
}

/// One owned partition.
struct Held {
    cursor: Cursor,
    paused: bool,
    revoked: bool,
}

impl Held {
    fn name(&self) -> &TopicPartition {
        &self.cursor.partition.name
    }
}

impl Holdings {
    /// Applies a change of ownership.
    pub(in crate::transport::embedded) fn apply(&mut self, change: &Rebalance, group: &Group, topics: &Topics) {
        match change {
            Rebalance::Lost(lost) => self.give_up(lost),
            Rebalance::Revoked(revoked) => {
                for held in &mut self.held {
                    held.revoked |= revoked.contains(held.name());
                }
            }
            Rebalance::Assigned(assigned) => {
                for name in assigned {
                    let partition = Arc::clone(topics.partition(name).expect("targets are partitions that exist"));
                    let committed = group.offsets.get(name).map(|committed| committed.offset);
                    // A committed offset beyond the end was never written. Waiting at the end skips no records.
                    let position = committed.unwrap_or_else(|| partition.low()).min(partition.high());
                    let cursor = Cursor { partition, position };
                    self.held.push(Held { cursor, paused: false, revoked: false });
                }
                self.held.sort_unstable_by(|a, b| a.name().cmp(b.name()));
            }
        }
    }

    /// Removes these partitions.
    pub(in crate::transport::embedded) fn give_up(&mut self, partitions: &[TopicPartition]) {
        self.held.retain(|held| !partitions.contains(held.name()));
    }

    /// Removes all partitions and returns them.
    pub(in crate::transport::embedded) fn lose_all(&mut self) -> Vec<TopicPartition> {
        self.held.drain(..).map(|held| held.name().clone()).collect()
    }

    /// Fetches records from where the last fetch ended. Does not read revoked partitions.
    pub(in crate::transport::embedded) fn fetch(
        &mut self,
        broker: &Broker,
        max: usize,
    ) -> Result<Vec<Fetched>, TransportError> {
        self.turn = (self.turn + 1) % self.held.len().max(1);
        let (first, second) = self.held.split_at_mut(self.turn);
        let mut ready = Vec::with_capacity(first.len() + second.len());
        for held in second.iter_mut().chain(first) {
            let cursor = &mut held.cursor;
            let behind = cursor.partition.low() - cursor.position;
            if behind > 0 {
                let partition = &cursor.partition.name;
                tracing::warn!(%partition, records = behind, "records were deleted before they were read");
                broker.records_skipped.fetch_add(behind.unsigned_abs(), Ordering::Relaxed);
                cursor.position += behind;
            }
            if !held.paused && !held.revoked && cursor.available() > 0 && !cursor.partition.is_deleted() {
                ready.push(cursor);
            }
        }
        fetch(&*broker.storage, ready, max)
    }

    /// Moves the position in a partition.
    pub(in crate::transport::embedded) fn seek(
        &mut self,
        name: &TopicPartition,
        offset: Offset,
    ) -> Result<(), TransportError> {
        let cursor = &mut self.get(name)?.cursor;
        if !(0..=cursor.partition.high()).contains(&offset) {
            return Err(cursor.partition.out_of_range(offset));
        }
        cursor.position = offset;
        Ok(())
    }

    /// Pauses or resumes these partitions.
    pub(in crate::transport::embedded) fn pause(
        &mut self,
        partitions: &[TopicPartition],
        paused: bool,
    ) -> Result<(), TransportError> {
        partitions.iter().try_for_each(|name| self.get(name).map(|held| held.paused = paused))
    }

    /// An owned partition, if its topic still exists.
    pub(in crate::transport::embedded) fn partition(&self, name: &TopicPartition) -> Option<&Partition> {
        let place = self.held.binary_search_by(|held| held.name().cmp(name)).ok()?;
        Some(&*self.held[place].cursor.partition).filter(|partition| !partition.is_deleted())
    }

    /// Whether all records of an owned partition were fetched. `false` if the consumer does not own the partition.
    pub(in crate::transport::embedded) fn is_caught_up(&self, name: &TopicPartition) -> bool {
        let place = self.held.binary_search_by(|held| held.name().cmp(name));
        place.is_ok_and(|place| self.held[place].cursor.available() <= 0)
    }

    fn get(&mut self, name: &TopicPartition) -> Result<&mut Held, TransportError> {
        match self.held.binary_search_by(|held| held.name().cmp(name)) {
            Ok(place) => Ok(&mut self.held[place]),
            Err(_) => Err(TransportError::Invalid(format!("this consumer does not own {name}").into())),
        }
    }
}
