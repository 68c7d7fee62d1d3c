//! Creates, describes and deletes topics.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_executor::block_on;
use rdkafka::{
    ClientConfig,
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic, ResourceSpecifier,
        TopicReplication,
    },
    config::FromClientConfig as _,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _},
    types::RDKafkaErrorCode as Code,
};

use super::{
    KafkaConfig,
    context::Context,
    error,
    offsets::{self, ANSWER},
    settings::Role,
};
use crate::transport::{Admin, CleanupPolicy, Offset, Topic, TopicPartition, TopicSpec, TransportError};

/// Segments of internal topics: only closed ones are compacted or deleted.
const SEGMENT_BYTES: &str = "52428800";

/// How long brokers that never answered yet may take.
const REACH: Duration = Duration::from_secs(10);
/// Asking for a topic that cannot exist is the cheapest question.
const NO_TOPIC: &str = "__tidemill-is-anybody-there";

/// How long a group's coordinator may take to refuse, and how long to wait for it at a time.
const REFUSAL: Duration = Duration::from_secs(3);
const REFUSAL_LOOK: Duration = Duration::from_millis(100);

/// An administrator of topics.
pub(super) struct KafkaAdmin {
    client: AdminClient<Context>,
    /// Asks for metadata; as a consumer it never creates the topic that it asks for.
    looker: BaseConsumer,
    /// What asks in a group's name.
    member: ClientConfig,
    replication_factor: i32,
}

impl KafkaAdmin {
    pub(super) fn open(config: &KafkaConfig) -> Result<Self, TransportError> {
        let client = config.client(Role::Admin);
        let client = AdminClient::from_config_and_context(&client, Context::default()).map_err(error::of)?;
        let mut looker = config.client(Role::Consumer);
        looker.remove("enable.auto.offset.store");
        let mut member = looker.clone();
        // Offsets of transactions that are open are not waited for.
        member.set("isolation.level", "read_uncommitted");
        let looker = BaseConsumer::from_config(&looker).map_err(error::of)?;
        if let Err(failed) = looker.fetch_metadata(Some(NO_TOPIC), REACH) {
            return Err(match error::of(failed) {
                TransportError::Retriable(reason) => TransportError::Retriable(format!(
                    "no broker at {} answers ({reason}): check the address, the network, and the settings of TLS and SASL",
                    config.bootstrap_servers
                )),
                lasting => lasting,
            });
        }
        Ok(Self { client, looker, member, replication_factor: config.replication_factor })
    }

    /// How many partitions a topic has, if there is one.
    fn partitions(&self, topic: &str) -> Result<Option<i32>, TransportError> {
        let metadata = self.looker.fetch_metadata(Some(topic), ANSWER).map_err(error::of)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        match found.error().map(Code::from) {
            None | Some(Code::NoError) => {}
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok(None),
            Some(code) => return Err(error::of_topic(code, topic)),
        }
        Ok(Some(found.partitions().len() as i32))
    }

    /// Waits until brokers know that a topic is there, or is gone: the one that answered does, and the others learn of
    /// it within moments.
    fn until_known(&self, topic: &str, exists: bool) -> Result<(), TransportError> {
        let started = Instant::now();
        while self.partitions(topic)?.is_some() != exists && started.elapsed() < ANSWER {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn settings(&self, topic: &str) -> Result<ConfigResource, TransportError> {
        let asked = ResourceSpecifier::Topic(topic);
        let described = block_on(self.client.describe_configs([&asked], &options())).map_err(error::of)?;
        match described.into_iter().next() {
            Some(Ok(settings)) => Ok(settings),
            Some(Err(code)) => Err(error::of_topic(code, topic)),
            None => Err(TransportError::Retriable(format!("the broker said nothing of topic '{topic}'"))),
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER))
}

/// What came of the one topic that was asked for.
fn outcome(results: Vec<Result<String, (String, Code)>>, topic: &str) -> Result<(), TransportError> {
    match results.into_iter().next() {
        Some(Ok(_)) => Ok(()),
        Some(Err((_, code))) => Err(error::of_topic(code, topic)),
        None => Err(TransportError::Retriable(format!("the broker said nothing of topic '{topic}'"))),
    }
}

impl Admin for KafkaAdmin {
    /// Kafka's retention goes by the time that a record carries, which is event time.
    fn create_topic(&mut self, spec: &TopicSpec) -> Result<(), TransportError> {
        let retention = retention_ms(spec.retention);
        let mut topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(self.replication_factor))
            .set("retention.ms", &retention)
            .set("cleanup.policy", policy(spec.cleanup))
            .set("message.timestamp.type", "CreateTime");
        if spec.cleanup != CleanupPolicy::Delete || spec.retention.is_none() {
            topic = topic.set("segment.bytes", SEGMENT_BYTES);
        }
        let created = block_on(self.client.create_topics([&topic], &options())).map_err(error::of)?;
        let created = outcome(created, &spec.name);
        if matches!(created, Ok(()) | Err(TransportError::TopicExists(_))) {
            self.until_known(&spec.name, true)?;
        }
        created
    }

    fn describe_topic(&mut self, topic: &str) -> Result<Option<TopicSpec>, TransportError> {
        let Some(partitions) = self.partitions(topic)? else { return Ok(None) };
        let settings = match self.settings(topic) {
            Err(TransportError::UnknownTopic(_)) => return Ok(None),
            settings => settings?,
        };
        let value = |name: &str| settings.get(name).and_then(|entry| entry.value.as_deref());
        let cleanup = match value("cleanup.policy") {
            Some("compact") => CleanupPolicy::Compact,
            Some("compact,delete" | "delete,compact") => CleanupPolicy::CompactDelete,
            _ => CleanupPolicy::Delete,
        };
        let retention = value("retention.ms").and_then(|text| text.parse().ok()).map(Duration::from_millis);
        Ok(Some(TopicSpec { name: Arc::from(topic), partitions, cleanup, retention }))
    }

    /// Offsets are asked for in its name. librdkafka takes a refusal for something that passes, and tells of it beside.
    fn check_group(&mut self, group: &str) -> Result<(), TransportError> {
        let member: BaseConsumer = self.member.clone().set("group.id", group).create().map_err(error::of)?;
        let asked = offsets::list(&[TopicPartition::new(NO_TOPIC, 0)]);
        let started = Instant::now();
        loop {
            let answered = member.committed_offsets(asked.clone(), REFUSAL_LOOK);
            let is_answered = answered.is_ok();
            let told = std::iter::from_fn(|| member.poll(Duration::ZERO)).filter_map(Result::err);
            let refused = answered.err().into_iter().chain(told).find_map(|failed| match error::of(failed) {
                TransportError::Invalid(reason) => Some(TransportError::Invalid(format!("group '{group}': {reason}"))),
                _ => None,
            });
            match refused {
                Some(refused) => return Err(refused),
                None if is_answered || started.elapsed() > REFUSAL => return Ok(()),
                None => {}
            }
        }
    }

    /// Kafka replaces all settings of a topic together: those that were made for it are said again.
    fn alter_retention(&mut self, topic: &str, retention: Option<Duration>) -> Result<(), TransportError> {
        let settings = self.settings(topic)?;
        let retention = retention_ms(retention);
        let mut altered = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("retention.ms", &retention);
        for entry in settings.entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic) {
            if let Some(value) = entry.value.as_deref().filter(|_| entry.name != "retention.ms") {
                altered = altered.set(&entry.name, value);
            }
        }
        let results = block_on(self.client.alter_configs([&altered], &options())).map_err(error::of)?;
        match results.into_iter().next() {
            Some(Err((_, code))) => Err(error::of_topic(code, topic)),
            _ => Ok(()),
        }
    }

    fn list_topics(&mut self) -> Result<Vec<Topic>, TransportError> {
        let metadata = self.looker.fetch_metadata(None, ANSWER).map_err(error::of)?;
        let mut topics: Vec<Topic> = metadata.topics().iter().map(|topic| Arc::from(topic.name())).collect();
        topics.sort();
        Ok(topics)
    }

    fn delete_topic(&mut self, topic: &str) -> Result<(), TransportError> {
        let deleted = block_on(self.client.delete_topics(&[topic], &options())).map_err(error::of)?;
        outcome(deleted, topic)?;
        self.until_known(topic, false)
    }

    fn delete_records(&mut self, partition: &TopicPartition, before: Offset) -> Result<(), TransportError> {
        let list = offsets::positions([(partition, rdkafka::Offset::Offset(before))])?;
        let deleted = block_on(self.client.delete_records(&list, &options()));
        let deleted = deleted.map_err(|failed| error::of_partition(failed, partition))?;
        let found = deleted.find_partition(&partition.topic, partition.partition);
        found.map_or(Ok(()), |element| element.error()).map_err(|failed| error::of_partition(failed, partition))
    }

    fn delete_group(&mut self, group: &str) -> Result<(), TransportError> {
        let deleted = block_on(self.client.delete_groups(&[group], &options())).map_err(error::of)?;
        match deleted.into_iter().next() {
            Some(Ok(_) | Err((_, Code::GroupIdNotFound))) => Ok(()),
            Some(Err((_, Code::NonEmptyGroup))) => {
                Err(TransportError::Invalid(format!("group '{group}' has members: stop them first")))
            }
            Some(Err((_, code))) => Err(error::of_group(code, group)),
            None => Err(TransportError::Retriable(format!("the broker said nothing of group '{group}'"))),
        }
    }
}

fn retention_ms(retention: Option<Duration>) -> String {
    retention.map_or_else(|| "-1".to_owned(), |retention| retention.as_millis().to_string())
}

fn policy(cleanup: CleanupPolicy) -> &'static str {
    match cleanup {
        CleanupPolicy::Delete => "delete",
        CleanupPolicy::Compact => "compact",
        CleanupPolicy::CompactDelete => "compact,delete",
    }
}
