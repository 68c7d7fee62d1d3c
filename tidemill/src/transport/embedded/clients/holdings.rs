//! The partitions that a consumer owns, and how far it has fetched them.

use std::sync::{Arc, atomic::Ordering};

use super::fetch::{Cursor, fetch};
use crate::transport::embedded::{group::Group, log::broker::Broker, log::partition::Partition, log::topics::Topics};
use crate::transport::{Fetched, Offset, Rebalance, TopicPartition, TransportError};

/// What a consumer knows that it owns.
#[derive(Default)]
pub(in crate::transport::embedded) struct Holdings {
    /// Sorted by partition.
    held: Vec<Held>,
    /// Where the next fetch starts, so that no partition is always last.
    turn: usize,
}

/// One partition of them.
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
    /// Follows a change of ownership.
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
                    // What is committed beyond the end was never written: nothing is skipped by waiting at the end.
                    let position = committed.unwrap_or_else(|| partition.low()).min(partition.high());
                    let cursor = Cursor { partition, position };
                    self.held.push(Held { cursor, paused: false, revoked: false });
                }
                self.held.sort_unstable_by(|a, b| a.name().cmp(b.name()));
            }
        }
    }

    /// Forgets these.
    pub(in crate::transport::embedded) fn give_up(&mut self, partitions: &[TopicPartition]) {
        self.held.retain(|held| !partitions.contains(held.name()));
    }

    /// Forgets all and says what they were.
    pub(in crate::transport::embedded) fn lose_all(&mut self) -> Vec<TopicPartition> {
        self.held.drain(..).map(|held| held.name().clone()).collect()
    }

    /// Reads on where the last fetch ended. What is revoked is not read any further.
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
                tracing::warn!(%partition, records = behind, "records were removed before they were read");
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

    /// Stops or continues reading these.
    pub(in crate::transport::embedded) fn pause(
        &mut self,
        partitions: &[TopicPartition],
        paused: bool,
    ) -> Result<(), TransportError> {
        partitions.iter().try_for_each(|name| self.get(name).map(|held| held.paused = paused))
    }

    /// A partition, if it is held and exists.
    pub(in crate::transport::embedded) fn partition(&self, name: &TopicPartition) -> Option<&Partition> {
        let place = self.held.binary_search_by(|held| held.name().cmp(name)).ok()?;
        Some(&*self.held[place].cursor.partition).filter(|partition| !partition.is_deleted())
    }

    /// Whether everything that a partition has was fetched; never of one that is not held.
    pub(in crate::transport::embedded) fn is_caught_up(&self, name: &TopicPartition) -> bool {
        let place = self.held.binary_search_by(|held| held.name().cmp(name));
        place.is_ok_and(|place| self.held[place].cursor.available() <= 0)
    }

    fn get(&mut self, name: &TopicPartition) -> Result<&mut Held, TransportError> {
        match self.held.binary_search_by(|held| held.name().cmp(name)) {
            Ok(place) => Ok(&mut self.held[place]),
            Err(_) => Err(TransportError::Invalid(format!("this consumer does not own {name}"))),
        }
    }
}
