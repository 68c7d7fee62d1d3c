//! A consumer group's coordinator, as a pure state machine.
//!
//! The target assignment says which member should own which partition. A member learns in its own poll which partitions
//! it must give back and which it gains. It gains a partition only when no other member owns it, so a partition never
//! has two owners.

pub(super) mod assign;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use self::assign::range;
use crate::transport::{CommittedOffset, GroupMetadata, Rebalance, Topic, TopicPartition, TransportError};

/// A member's id. Ids sort by client id, so a client that rejoins tends to get its old partitions.
pub(in crate::transport::embedded) type MemberId = Arc<str>;

/// State that members read without the coordinator's lock. It tells them whether they must ask the coordinator.
#[derive(Default)]
pub(in crate::transport::embedded) struct GroupSignal {
    /// Grows when a member's next poll may change its partitions.
    pub(in crate::transport::embedded) version: AtomicU64,
    /// No session expires before this time, in milliseconds.
    pub(in crate::transport::embedded) next_expiry_ms: AtomicI64,
}

/// A group: its members, their owned and target partitions, and the committed offsets.
#[derive(Default)]
pub(in crate::transport::embedded) struct Group {
    pub(in crate::transport::embedded) signal: Arc<GroupSignal>,
    pub(in crate::transport::embedded) offsets: BTreeMap<TopicPartition, CommittedOffset>,
    members: BTreeMap<MemberId, Member>,
    owned: BTreeSet<TopicPartition>,
    joins: u64,
}

/// One member.
pub(in crate::transport::embedded) struct Member {
    pub(in crate::transport::embedded) client_id: String,
    pub(in crate::transport::embedded) generation: i32,
    pub(in crate::transport::embedded) owned: BTreeMap<TopicPartition, Ownership>,
    /// The time of the last poll, in milliseconds. `i64::MAX` while the member waits in a poll.
    heartbeat_ms: Arc<AtomicI64>,
    session_timeout_ms: i64,
    topics: BTreeSet<Topic>,
    target: BTreeSet<TopicPartition>,
    lost: Vec<TopicPartition>,
}

/// Since which generation a member owns a partition, and whether it must give the partition back.
#[derive(Debug, Clone, Copy)]
pub(in crate::transport::embedded) struct Ownership {
    since: i32,
    revoking: bool,
}

/// The number of partitions of a topic, or `None` if the topic does not exist.
pub(in crate::transport::embedded) type Counts<'a> = &'a dyn Fn(&str) -> Option<i32>;

impl Group {
    /// Adds a member.
    pub(in crate::transport::embedded) fn join(
        &mut self,
        client_id: &str,
        session_timeout_ms: i64,
        topics: &[Topic],
        now_ms: i64,
        counts: Counts<'_>,
    ) -> (MemberId, Arc<AtomicI64>) {
        self.joins += 1;
        let id: MemberId = format!("{client_id}-{:08}", self.joins).into();
        let heartbeat_ms = Arc::new(AtomicI64::new(now_ms));
        let member = Member {
            client_id: client_id.to_owned(),
            generation: 0,
            owned: BTreeMap::new(),
            heartbeat_ms: Arc::clone(&heartbeat_ms),
            session_timeout_ms,
            topics: topics.iter().cloned().collect(),
            target: BTreeSet::new(),
            lost: Vec::new(),
        };
        self.members.insert(Arc::clone(&id), member);
        self.retarget(counts);
        (id, heartbeat_ms)
    }

    /// Changes a member's subscription.
    pub(in crate::transport::embedded) fn subscribe(&mut self, id: &str, topics: &[Topic], counts: Counts<'_>) {
        if let Some(member) = self.members.get_mut(id) {
            member.topics = topics.iter().cloned().collect();
            self.retarget(counts);
        }
    }

    /// Removes a member. Its partitions are free immediately.
    pub(in crate::transport::embedded) fn leave(&mut self, id: &str, counts: Counts<'_>) {
        if let Some(member) = self.members.remove(id) {
            for partition in member.owned.keys() {
                self.owned.remove(partition);
            }
            self.retarget(counts);
        }
    }

    /// Removes members whose session has expired, and returns their ids.
    pub(in crate::transport::embedded) fn expire(&mut self, now_ms: i64, counts: Counts<'_>) -> Vec<MemberId> {
        let ended = |member: &Member| member.session_end() <= now_ms;
        let gone: Vec<_> = self.members.iter().filter(|(_, member)| ended(member)).map(|(id, _)| id.clone()).collect();
        for id in &gone {
            self.leave(id, counts);
        }
        let next = self.members.values().map(Member::session_end).min().unwrap_or(i64::MAX);
        self.signal.next_expiry_ms.store(next, Ordering::SeqCst);
        gone
    }

    /// The changes of ownership for a member, or `None` if it is not a member, or not any more.
    pub(in crate::transport::embedded) fn reconcile(&mut self, id: &str) -> Option<Vec<Rebalance>> {
        let member = self.members.get_mut(id)?;
        let lost = std::mem::take(&mut member.lost);
        let mut revoked = Vec::new();
        for (partition, ownership) in &mut member.owned {
            if !ownership.revoking && !member.target.contains(partition) {
                ownership.revoking = true;
                revoked.push(partition.clone());
            }
        }
        let free = |partition: &&TopicPartition| !self.owned.contains(*partition);
        let assigned: Vec<_> = member.target.iter().filter(free).cloned().collect();
        let changes = [Rebalance::Lost(lost), Rebalance::Revoked(revoked), Rebalance::Assigned(assigned.clone())];
        let changes: Vec<_> = changes.into_iter().filter(|change| !is_empty(change)).collect();
        if !changes.is_empty() {
            member.generation += 1;
        }
        for partition in assigned {
            self.owned.insert(partition.clone());
            member.owned.insert(partition, Ownership { since: member.generation, revoking: false });
        }
        Some(changes)
    }

    /// Takes partitions back from a member. Ignores partitions that it does not own.
    pub(in crate::transport::embedded) fn release(&mut self, id: &str, partitions: &[TopicPartition]) {
        let Some(member) = self.members.get_mut(id) else { return };
        let mut released = false;
        for partition in partitions {
            if member.owned.remove(partition).is_some() {
                self.owned.remove(partition);
                released = true;
            }
        }
        if released {
            member.generation += 1;
            self.changed();
        }
    }

    /// Computes the target assignment.
    pub(in crate::transport::embedded) fn retarget(&mut self, counts: Counts<'_>) {
        let mut subscribers: BTreeMap<Topic, Vec<MemberId>> = BTreeMap::new();
        for (id, member) in &mut self.members {
            member.target.clear();
            for topic in &member.topics {
                subscribers.entry(Arc::clone(topic)).or_default().push(Arc::clone(id));
            }
        }
        for (topic, ids) in subscribers {
            for (place, id) in ids.iter().enumerate() {
                let share = range(counts(&topic).unwrap_or(0), ids.len(), place);
                if let Some(member) = self.members.get_mut(id) {
                    member.target.extend(share.map(|number| TopicPartition::new(Arc::clone(&topic), number)));
                }
            }
        }
        self.changed();
    }

    /// Removes a deleted topic. Its owners lose its partitions, and its offsets are deleted.
    pub(in crate::transport::embedded) fn forget(&mut self, topic: &str, counts: Counts<'_>) {
        for member in self.members.values_mut() {
            for (partition, _) in member.owned.extract_if(.., |partition, _| &*partition.topic == topic) {
                self.owned.remove(&partition);
                member.lost.push(partition);
            }
        }
        self.offsets.retain(|partition, _| &*partition.topic != topic);
        self.retarget(counts);
    }

    /// Checks whether this member may commit offsets of these partitions. If not, the error gives the reason.
    ///
    /// A member may commit for partitions that it owns, also while it is asked to give them back. It may do so with an
    /// older generation if it has owned the partition since then. A client that is not a member may commit only while
    /// the group has no members.
    pub(in crate::transport::embedded) fn admits<'a>(
        &self,
        speaker: &GroupMetadata,
        mut partitions: impl Iterator<Item = &'a TopicPartition>,
    ) -> Result<(), TransportError> {
        if speaker.member.is_empty() && self.members.is_empty() {
            return Ok(());
        }
        let group = &speaker.group;
        let Some(member) = self.members.get(speaker.member.as_str()) else {
            return Err(TransportError::Fenced(
                format!("'{}' is no longer a member of group '{group}'", speaker.member).into(),
            ));
        };
        let known = 0..=member.generation;
        let current = |partition: &&TopicPartition| {
            member.owned.get(*partition).is_some_and(|ownership| ownership.since <= speaker.generation)
        };
        match partitions.find(|partition| !known.contains(&speaker.generation) || !current(partition)) {
            None => Ok(()),
            Some(partition) => Err(TransportError::Fenced(
                format!(
                    "member '{}' of group '{group}' does not own {partition} in generation {}",
                    speaker.member, speaker.generation
                )
                .into(),
            )),
        }
    }

    /// The members by id.
    pub(in crate::transport::embedded) fn members(&self) -> impl Iterator<Item = (&MemberId, &Member)> {
        self.members.iter()
    }

    /// Whether the group has neither members nor offsets.
    pub(in crate::transport::embedded) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.offsets.is_empty()
    }

    /// One member.
    pub(in crate::transport::embedded) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// All partitions in the target assignment.
    pub(in crate::transport::embedded) fn wanted(&self) -> impl Iterator<Item = &TopicPartition> {
        self.members.values().flat_map(|member| &member.target)
    }

    fn changed(&self) {
        self.signal.version.fetch_add(1, Ordering::SeqCst);
    }
}

impl Member {
    fn session_end(&self) -> i64 {
        self.heartbeat_ms.load(Ordering::SeqCst).saturating_add(self.session_timeout_ms)
    }
}

fn is_empty(change: &Rebalance) -> bool {
    match change {
        Rebalance::Assigned(partitions) | Rebalance::Revoked(partitions) | Rebalance::Lost(partitions) => {
            partitions.is_empty()
        }
    }
}

#[cfg(test)]
mod tests;
