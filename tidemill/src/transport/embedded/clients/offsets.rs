//! Commits the offsets of a group.

use crate::transport::embedded::{log::broker::Coordinator, storage::Change};
use crate::transport::{CommittedOffset, GroupMetadata, TopicPartition, TransportError};

/// The offsets that a member wants to commit.
pub(in crate::transport::embedded) struct GroupOffsets {
    pub(in crate::transport::embedded) speaker: GroupMetadata,
    pub(in crate::transport::embedded) offsets: Vec<(TopicPartition, CommittedOffset)>,
}

impl GroupOffsets {
    /// Fails if the member was replaced, or if an offset is not valid.
    pub(in crate::transport::embedded) fn check(
        &self,
        coordinator: &mut Coordinator,
        now_ms: i64,
    ) -> Result<(), TransportError> {
        let (group, topics) = coordinator.group(&self.speaker.group, now_ms);
        group.admits(&self.speaker, self.offsets.iter().map(|(name, _)| name))?;
        for (name, committed) in &self.offsets {
            topics.partition(name)?;
            if committed.offset < 0 {
                let offset = committed.offset;
                return Err(TransportError::Invalid(format!("offset {offset} of {name} is negative").into()));
            }
        }
        Ok(())
    }

    /// The changes to write to the storage.
    pub(in crate::transport::embedded) fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let group = &self.speaker.group;
        self.offsets.iter().map(move |(partition, offset)| Change::Commit { group, partition, offset })
    }

    /// Makes the offsets visible in the group, after the storage has written them.
    pub(in crate::transport::embedded) fn publish(self, coordinator: &mut Coordinator) {
        let group = coordinator.groups.entry(self.speaker.group).or_default();
        group.offsets.extend(self.offsets);
    }
}
