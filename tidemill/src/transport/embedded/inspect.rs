//! Reads and fills a log without clients: for tests, simulations and dashboards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;

use crate::transport::embedded::{EmbeddedLog, clients::outbox::Outbox};
use crate::transport::{
    CleanupPolicy, ConsumedRecord, Headers, Offset, ProducerRecord, TopicPartition, TopicSpec, Transport,
    TransportError,
};

/// A record to append to a partition. See the example of [`EmbeddedLog`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Event time, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Key bytes, `None` for null.
    pub key: Option<Bytes>,
    /// Value bytes, `None` for null.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
}

impl Entry {
    /// A record with key and value. The bytes are those that the topic's codecs make: for `String`, the text.
    /// `timestamp` is event time in milliseconds since the epoch. See the example of [`EmbeddedLog`].
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>, timestamp: i64) -> Self {
        Self { timestamp, key: Some(key.into()), value: Some(value.into()), headers: Headers::new() }
    }

    /// A record without a key. See the example of [`EmbeddedLog`].
    pub fn keyless(value: impl Into<Bytes>, timestamp: i64) -> Self {
        Self { timestamp, key: None, value: Some(value.into()), headers: Headers::new() }
    }

    /// A record that deletes its key from a compacted topic. See the example of [`EmbeddedLog`].
    pub fn tombstone(key: impl Into<Bytes>, timestamp: i64) -> Self {
        Self { timestamp, key: Some(key.into()), value: None, headers: Headers::new() }
    }
}

/// The current state of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub group: String,
    /// Its members, by id.
    pub members: Vec<MemberDescription>,
}

/// The current state of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// The id that the group gave it.
    pub member: String,
    /// The client id that the member chose.
    pub client_id: String,
    /// Its generation.
    pub generation: i32,
    /// The partitions that it owns, including those that it must give back.
    pub partitions: Vec<TopicPartition>,
}

/// The progress of a group in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: TopicPartition,
    /// The member that owns the partition, or `None`.
    pub member: Option<String>,
    /// The committed offset, or `None`.
    pub committed: Option<Offset>,
    /// The next offset to be written.
    pub end: Offset,
    /// The number of offsets from the committed offset to the end. Without a committed offset, it is counted from the
    /// partition's beginning.
    pub lag: i64,
}

impl EmbeddedLog {
    /// Creates a topic that keeps its records for ever. [`Admin::create_topic`](crate::transport::Admin::create_topic)
    /// creates topics with a retention or compaction. See the example of [`EmbeddedLog`].
    ///
    /// # Errors
    ///
    /// [`TransportError::TopicExists`] if the topic exists, [`TransportError::Invalid`] if the name or the number of
    /// partitions is not allowed.
    pub fn create(&self, topic: &str, partitions: i32) -> Result<(), TransportError> {
        let spec = TopicSpec { name: topic.into(), partitions, cleanup: CleanupPolicy::Delete, retention: None };
        self.admin()?.create_topic(&spec)
    }

    /// Appends records to a partition, all or none of them. Returns the offset after the last record. See the example
    /// of [`EmbeddedLog`].
    ///
    /// # Errors
    ///
    /// [`TransportError::UnknownTopic`] or [`TransportError::UnknownPartition`] if there is no such partition.
    pub fn append(
        &self,
        topic: &str,
        partition: i32,
        records: impl IntoIterator<Item = Entry>,
    ) -> Result<Offset, TransportError> {
        let mut outbox = Outbox::new(Arc::clone(&self.broker));
        let to = TopicPartition::new(topic, partition);
        for Entry { timestamp, key, value, headers } in records {
            outbox.push(ProducerRecord { topic: Arc::clone(&to.topic), partition, timestamp, key, value, headers })?;
        }
        outbox.deliver(Vec::new())?;
        self.broker.maintain_if_due();
        let end = outbox.take_acknowledged().pop_last().map(|(_, end)| end);
        end.map_or_else(|| Ok(self.broker.lock().topics.partition(&to)?.high()), Ok)
    }

    /// All records of a topic, with their partitions, sorted by partition and offset. See the example of
    /// [`EmbeddedLog`].
    ///
    /// # Errors
    ///
    /// [`TransportError::UnknownTopic`] if the topic does not exist.
    pub fn read_all(&self, topic: &str) -> Result<Vec<(i32, ConsumedRecord)>, TransportError> {
        let log = Arc::clone(self.broker.lock().topics.get(topic)?);
        let mut records = Vec::new();
        for partition in &log.partitions {
            let (mut next, end) = (partition.low(), partition.high());
            let number = partition.name.partition;
            while next < end {
                next = partition.read(&*self.broker.storage, next, 1024, &mut |stored| {
                    records.push((number, stored.record.clone()));
                })?;
            }
        }
        Ok(records)
    }

    /// The next offset to be written in each partition of a topic. See the example of [`EmbeddedLog`].
    ///
    /// # Errors
    ///
    /// [`TransportError::UnknownTopic`] if the topic does not exist.
    pub fn end_offsets(&self, topic: &str) -> Result<Vec<Offset>, TransportError> {
        Ok(self.broker.lock().topics.get(topic)?.partitions.iter().map(|partition| partition.high()).collect())
    }

    /// All groups with members or committed offsets.
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("lines", 1)?, log.create("shouted", 1)?);
    /// # builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
    /// let config = StreamsConfig { client_id: Some("shout-1".into()), ..StreamsConfig::new("shout") };
    /// let streams = Streams::start(&builder.build()?, config, log.clone())?;
    /// # while log.groups().first().is_none_or(|group| group.members.is_empty()) {
    /// #     std::thread::yield_now();
    /// # }
    /// assert_eq!(log.groups()[0].group, "shout");
    /// assert!(log.groups()[0].members[0].client_id.starts_with("shout-1"));
    /// streams.close()?;
    /// assert!(log.groups().iter().all(|group| group.members.is_empty()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn groups(&self) -> Vec<GroupDescription> {
        let coordinator = self.broker.lock();
        let describe = |(name, group): (&String, &crate::transport::embedded::group::Group)| GroupDescription {
            group: name.clone(),
            members: group
                .members()
                .map(|(id, member)| MemberDescription {
                    member: id.to_string(),
                    client_id: member.client_id.clone(),
                    generation: member.generation,
                    partitions: member.owned.keys().cloned().collect(),
                })
                .collect(),
        };
        coordinator.groups.iter().filter(|(_, group)| !group.is_empty()).map(describe).collect()
    }

    /// A group's progress in each partition that it reads or has committed; empty if there is no such group.
    ///
    /// ```
    /// # use tidemill::transport::embedded::Entry;
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("lines", 1)?, log.create("shouted", 1)?);
    /// # builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
    /// log.append("lines", 0, ["hi", "you"].map(|line| Entry::new("ann", line, 0)))?;
    /// let streams = Streams::start(&builder.build()?, StreamsConfig::new("shout"), log.clone())?;
    /// # while log.end_offsets("shouted")? != [2] {
    /// #     std::thread::yield_now();
    /// # }
    /// let lines = &log.group_lag("shout")[0];
    /// assert_eq!((lines.committed, lines.end, lines.lag), (Some(2), 2, 0));
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_lag(&self, group: &str) -> Vec<PartitionLag> {
        let coordinator = self.broker.lock();
        let Some(group) = coordinator.groups.get(group) else {
            return Vec::new();
        };
        let owners: BTreeMap<_, _> = group
            .members()
            .flat_map(|(id, member)| member.owned.keys().map(move |partition| (partition, id)))
            .collect();
        let partitions: BTreeSet<_> = group.offsets.keys().chain(group.wanted()).collect();
        let lag = |name: &TopicPartition| {
            let partition = coordinator.topics.partition(name).ok()?;
            let committed = group.offsets.get(name).map(|committed| committed.offset);
            let end = partition.high();
            let position = committed.unwrap_or(0).max(partition.low());
            let member = owners.get(name).map(ToString::to_string);
            Some(PartitionLag { partition: name.clone(), member, committed, end, lag: (end - position).max(0) })
        };
        partitions.into_iter().filter_map(lag).collect()
    }

    /// The number of records that were deleted before a consumer read them, in all groups together.
    ///
    /// ```
    /// # use tidemill::transport::embedded::EmbeddedLog;
    /// assert_eq!(EmbeddedLog::in_memory().records_skipped(), 0);
    /// ```
    pub fn records_skipped(&self) -> u64 {
        self.broker.records_skipped.load(Ordering::Relaxed)
    }
}
