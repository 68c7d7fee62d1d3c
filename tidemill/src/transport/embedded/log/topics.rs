//! The topics of a log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::partition::Partition;
use crate::transport::embedded::storage::{Bounds, PartitionId, RestoredTopic};
use crate::transport::{Offset, Topic, TopicPartition, TopicSpec, TransportError};

/// A topic and its partitions.
pub(in crate::transport::embedded) struct TopicLog {
    pub(in crate::transport::embedded) id: u32,
    pub(in crate::transport::embedded) spec: TopicSpec,
    pub(in crate::transport::embedded) partitions: Vec<Arc<Partition>>,
}

impl TopicLog {
    /// A new, empty topic.
    pub(in crate::transport::embedded) fn new(id: u32, spec: TopicSpec) -> Self {
        let partitions = vec![(Bounds::default(), 0); usize::try_from(spec.partitions).unwrap_or(0)];
        Self::restore(RestoredTopic { id, spec, partitions })
    }

    /// A topic as the storage restored it.
    pub(in crate::transport::embedded) fn restore(RestoredTopic { id, spec, partitions }: RestoredTopic) -> Self {
        let open = |(number, (bounds, high)): (usize, (Bounds, Offset))| {
            let partition = PartitionId { topic: id, partition: number as u32 };
            let name = TopicPartition::new(Arc::clone(&spec.name), number as i32);
            Arc::new(Partition::new(partition, name, spec.cleanup, bounds, high))
        };
        let partitions = partitions.into_iter().enumerate().map(open).collect();
        Self { id, spec, partitions }
    }

    /// The same topic with another retention. It shares the partitions.
    pub(in crate::transport::embedded) fn with_retention(&self, retention: Option<Duration>) -> Self {
        Self { id: self.id, spec: TopicSpec { retention, ..self.spec.clone() }, partitions: self.partitions.clone() }
    }
}

/// The topics by name.
#[derive(Default)]
pub(in crate::transport::embedded) struct Topics {
    by_name: BTreeMap<Topic, Arc<TopicLog>>,
    next_id: u32,
}

impl Topics {
    /// The topics that the storage restored.
    pub(in crate::transport::embedded) fn restore(topics: Vec<RestoredTopic>, next_id: u32) -> Self {
        let by_name =
            topics.into_iter().map(|topic| (Arc::clone(&topic.spec.name), Arc::new(TopicLog::restore(topic))));
        Self { by_name: by_name.collect(), next_id }
    }

    /// Checks the settings of a new topic and opens it. Does not add it to the list yet.
    pub(in crate::transport::embedded) fn open(&self, spec: &TopicSpec) -> Result<TopicLog, TransportError> {
        validate(spec)?;
        if self.by_name.contains_key(&spec.name) {
            return Err(TransportError::TopicExists(spec.name.to_string()));
        }
        Ok(TopicLog::new(self.next_id, spec.clone()))
    }

    /// Adds a topic that the storage has, or replaces the topic of the same name.
    pub(in crate::transport::embedded) fn insert(&mut self, topic: TopicLog) {
        self.next_id = self.next_id.max(topic.id + 1);
        self.by_name.insert(Arc::clone(&topic.spec.name), Arc::new(topic));
    }

    /// Removes a topic from the list.
    pub(in crate::transport::embedded) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// The topic, or an error if it does not exist.
    pub(in crate::transport::embedded) fn get(&self, name: &str) -> Result<&Arc<TopicLog>, TransportError> {
        self.by_name.get(name).ok_or_else(|| TransportError::UnknownTopic(name.to_owned()))
    }

    /// The partition, or an error if it does not exist.
    pub(in crate::transport::embedded) fn partition(
        &self,
        name: &TopicPartition,
    ) -> Result<&Arc<Partition>, TransportError> {
        let topic = self.get(&name.topic)?;
        usize::try_from(name.partition)
            .ok()
            .and_then(|number| topic.partitions.get(number))
            .ok_or_else(|| TransportError::UnknownPartition(name.clone()))
    }

    /// The number of partitions of a topic, or `None` if it does not exist.
    pub(in crate::transport::embedded) fn count(&self, name: &str) -> Option<i32> {
        self.by_name.get(name).map(|topic| topic.spec.partitions)
    }

    /// All topics, sorted by name.
    pub(in crate::transport::embedded) fn iter(&self) -> impl Iterator<Item = &Arc<TopicLog>> {
        self.by_name.values()
    }
}

/// Kafka's rules for topic names. An application that runs on this log therefore also runs on Kafka.
fn validate(spec: &TopicSpec) -> Result<(), TransportError> {
    let name = &*spec.name;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.bytes().all(legal) {
        return Err(TransportError::Invalid(
            format!("'{name}' is not a valid topic name: use 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'").into(),
        ));
    }
    if spec.partitions < 1 {
        return Err(TransportError::Invalid(
            format!("topic '{name}' cannot have {} partitions: it needs at least one", spec.partitions).into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Topics, TransportError};
    use crate::transport::{CleanupPolicy, TopicSpec};

    fn open(name: &str, partitions: i32) -> Result<(), TransportError> {
        let spec = TopicSpec { name: name.into(), partitions, cleanup: CleanupPolicy::Delete, retention: None };
        Topics::default().open(&spec).map(|_| ())
    }

    #[test]
    fn names_follow_kafkas_rules() {
        for legal in ["a", "app-store-changelog", "x.Y_9", "...", &"n".repeat(249)] {
            assert!(open(legal, 1).is_ok(), "{legal}");
        }
        for illegal in ["", ".", "..", "a b", "ü", "a/b", &"n".repeat(250)] {
            assert!(matches!(open(illegal, 1), Err(TransportError::Invalid(_))), "{illegal}");
        }
        assert!(matches!(open("a", 0), Err(TransportError::Invalid(_))));
    }
}
