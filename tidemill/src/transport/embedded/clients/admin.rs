//! Creates, describes, alters and deletes topics.

use std::{sync::Arc, time::Duration};

use crate::transport::embedded::{log::broker::Broker, storage::Change};
use crate::transport::{Admin, Offset, Topic, TopicPartition, TopicSpec, TransportError};

/// The administrator of the embedded log.
pub(in crate::transport::embedded) struct EmbeddedAdmin {
    broker: Arc<Broker>,
}

impl EmbeddedAdmin {
    pub(in crate::transport::embedded) fn new(broker: Arc<Broker>) -> Self {
        Self { broker }
    }
}

impl Admin for EmbeddedAdmin {
    fn create_topic(&mut self, spec: &TopicSpec) -> Result<(), TransportError> {
        let mut coordinator = self.broker.lock();
        let topic = coordinator.topics.open(spec)?;
        self.broker.storage.write(&[Change::CreateTopic { id: topic.id, spec }])?;
        coordinator.topics.insert(topic);
        self.broker.share_tails(&coordinator.topics);
        let coordinator = &mut *coordinator;
        for group in coordinator.groups.values_mut() {
            group.retarget(&|topic| coordinator.topics.count(topic));
        }
        self.broker.arrivals.tell();
        Ok(())
    }

    fn describe_topic(&mut self, topic: &str) -> Result<Option<TopicSpec>, TransportError> {
        Ok(self.broker.lock().topics.get(topic).ok().map(|topic| topic.spec.clone()))
    }

    fn max_record_bytes(&mut self, _topic: &str) -> Result<Option<usize>, TransportError> {
        Ok(self.broker.record_bytes_max)
    }

    fn list_topics(&mut self) -> Result<Vec<Topic>, TransportError> {
        Ok(self.broker.lock().topics.iter().map(|topic| Arc::clone(&topic.spec.name)).collect())
    }

    fn alter_retention(&mut self, topic: &str, retention: Option<Duration>) -> Result<(), TransportError> {
        let mut coordinator = self.broker.lock();
        let altered = coordinator.topics.get(topic)?.with_retention(retention);
        self.broker.storage.write(&[Change::AlterTopic { id: altered.id, spec: &altered.spec }])?;
        coordinator.topics.insert(altered);
        Ok(())
    }

    fn delete_topic(&mut self, topic: &str) -> Result<(), TransportError> {
        let mut coordinator = self.broker.lock();
        let log = Arc::clone(coordinator.topics.get(topic)?);
        let mut tails: Vec<_> = log.partitions.iter().map(|partition| partition.lock()).collect();
        let mut changes = vec![Change::DeleteTopic { id: log.id, spec: &log.spec }];
        for (name, group) in &coordinator.groups {
            let partitions = group.offsets.keys().filter(|partition| *partition.topic == *topic);
            changes.extend(partitions.map(|partition| Change::Forget { group: name, partition }));
        }
        self.broker.storage.write(&changes)?;
        for (partition, tail) in log.partitions.iter().zip(&mut tails) {
            partition.delete(tail);
        }
        drop(tails);
        let coordinator = &mut *coordinator;
        coordinator.topics.remove(topic);
        self.broker.share_tails(&coordinator.topics);
        for group in coordinator.groups.values_mut() {
            group.forget(topic, &|topic| coordinator.topics.count(topic));
        }
        self.broker.arrivals.tell();
        Ok(())
    }

    fn delete_records(&mut self, partition: &TopicPartition, before: Offset) -> Result<(), TransportError> {
        let partition = Arc::clone(self.broker.lock().topics.partition(partition)?);
        if !(0..=partition.high()).contains(&before) {
            return Err(partition.out_of_range(before));
        }
        self.broker.drop_below(&partition, before)
    }

    fn delete_group(&mut self, group: &str) -> Result<(), TransportError> {
        let mut coordinator = self.broker.lock();
        let (found, _) = coordinator.group(group, self.broker.clock.monotonic_ms());
        if found.members().next().is_some() {
            return Err(TransportError::Invalid(format!("group '{group}' still has members; stop them first").into()));
        }
        let partitions = found.offsets.keys();
        let changes: Vec<_> = partitions.map(|partition| Change::Forget { group, partition }).collect();
        self.broker.storage.write(&changes)?;
        coordinator.groups.remove(group);
        Ok(())
    }
}
