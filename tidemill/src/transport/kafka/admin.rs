//! Creates, describes and deletes topics.

use std::{
    collections::BTreeMap,
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

/// The segment size of internal topics. Kafka compacts or deletes only closed segments.
const SEGMENT_BYTES: &str = "52428800";
/// Records younger than this are not compacted: executors of calls decide on what stands before a record of the last
/// minute.
const COMPACTION_LAG: Duration = Duration::from_secs(60);

/// librdkafka's default of `message.max.bytes`.
const MESSAGE_BYTES_MAX: usize = 1_000_000;
/// More than a batch with one record has beside key, value and headers, for up to a dozen headers.
const FRAME_BYTES: usize = 256;

/// How long the first contact with the brokers may take.
const REACH: Duration = Duration::from_secs(10);
/// A request about a topic that cannot exist is the cheapest check of the connection.
const NO_TOPIC: &str = "__tidemill-is-anybody-there";

/// How long to wait for a group's coordinator to deny access, in all and in each poll.
const REFUSAL: Duration = Duration::from_secs(3);
const REFUSAL_LOOK: Duration = Duration::from_millis(100);

/// An administrator of topics.
pub(super) struct KafkaAdmin {
    client: AdminClient<Context>,
    /// Reads metadata. A consumer never creates the topic that it asks about.
    looker: BaseConsumer,
    /// The settings of a client that makes requests in a group's name.
    member: ClientConfig,
    replication_factor: i32,
    /// librdkafka's own limit of a record.
    message_bytes_max: usize,
}

impl KafkaAdmin {
    pub(super) fn open(config: &KafkaConfig) -> Result<Self, TransportError> {
        let client = config.client(Role::Admin);
        let client = AdminClient::from_config_and_context(&client, Context::default()).map_err(error::of)?;
        let mut looker = config.client(Role::Consumer);
        looker.remove("enable.auto.offset.store");
        let mut member = looker.clone();
        // Do not wait for the offsets of open transactions.
        member.set("isolation.level", "read_uncommitted");
        let looker = BaseConsumer::from_config(&looker).map_err(error::of)?;
        if let Err(failed) = looker.fetch_metadata(Some(NO_TOPIC), REACH) {
            return Err(match error::of(failed) {
                TransportError::Retriable(reason) => TransportError::Retriable(reason.rephrase(|text| {
                    format!(
                        "no broker at {} answers ({text}): check the address, the network, and the TLS and SASL \
                         settings",
                        config.bootstrap_servers
                    )
                })),
                lasting => lasting,
            });
        }
        let message_bytes_max =
            config.client(Role::Producer).get("message.max.bytes").and_then(|text| text.parse().ok());
        let message_bytes_max = message_bytes_max.unwrap_or(MESSAGE_BYTES_MAX);
        Ok(Self { client, looker, member, replication_factor: config.replication_factor, message_bytes_max })
    }

    /// The number of partitions of a topic, or `None` if the topic does not exist.
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

    /// Waits until brokers know that a topic was created or deleted. The broker that handled the request knows already.
    /// The others learn it within moments.
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
            None => {
                Err(TransportError::Retriable(format!("the broker's answer does not mention topic '{topic}'").into()))
            }
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER))
}

/// The result for the one requested topic.
fn outcome(results: Vec<Result<String, (String, Code)>>, topic: &str) -> Result<(), TransportError> {
    match results.into_iter().next() {
        Some(Ok(_)) => Ok(()),
        Some(Err((_, code))) => Err(error::of_topic(code, topic)),
        None => Err(TransportError::Retriable(format!("the broker's answer does not mention topic '{topic}'").into())),
    }
}

impl Admin for KafkaAdmin {
    /// Kafka's retention uses the timestamps of records, which are event time.
    fn create_topic(&mut self, spec: &TopicSpec) -> Result<(), TransportError> {
        self.create_topic_with(spec, &BTreeMap::new())
    }

    fn create_topic_with(&mut self, spec: &TopicSpec, config: &BTreeMap<String, String>) -> Result<(), TransportError> {
        let retention = retention_ms(spec.retention);
        let mut settings = BTreeMap::from([
            ("retention.ms", retention.as_str()),
            ("cleanup.policy", policy(spec.cleanup)),
            ("message.timestamp.type", "CreateTime"),
        ]);
        if spec.cleanup != CleanupPolicy::Delete || spec.retention.is_none() {
            settings.insert("segment.bytes", SEGMENT_BYTES);
        }
        let lag_ms = match spec.cleanup {
            CleanupPolicy::CompactAfter(lag) => lag.max(COMPACTION_LAG).as_millis().to_string(),
            _ => COMPACTION_LAG.as_millis().to_string(),
        };
        if spec.cleanup != CleanupPolicy::Delete {
            settings.insert("min.compaction.lag.ms", &lag_ms);
        }
        settings.extend(config.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(self.replication_factor));
        let topic = settings.into_iter().fold(topic, |topic, (name, value)| topic.set(name, value));
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
            Some("compact") => {
                let lag = value("min.compaction.lag.ms").and_then(|text| text.parse().ok()).map(Duration::from_millis);
                lag.filter(|lag| *lag > COMPACTION_LAG).map_or(CleanupPolicy::Compact, CleanupPolicy::CompactAfter)
            }
            Some("compact,delete" | "delete,compact") => CleanupPolicy::CompactDelete,
            _ => CleanupPolicy::Delete,
        };
        let retention = value("retention.ms").and_then(|text| text.parse().ok()).map(Duration::from_millis);
        Ok(Some(TopicSpec { name: Arc::from(topic), partitions, cleanup, retention }))
    }

    /// The topic limits batches after compression, and librdkafka limits records before it. A record that fits both
    /// limits as it is fits with every compression.
    fn max_record_bytes(&mut self, topic: &str) -> Result<Option<usize>, TransportError> {
        let settings = self.settings(topic)?;
        let topic_bytes = settings.get("max.message.bytes").and_then(|entry| entry.value.as_deref()?.parse().ok());
        let bytes = topic_bytes.map_or(self.message_bytes_max, |bytes: usize| bytes.min(self.message_bytes_max));
        Ok(Some(bytes.saturating_sub(FRAME_BYTES)))
    }

    /// Requests committed offsets in the group's name. librdkafka treats a denial as temporary and reports it only as
    /// an error event.
    fn check_group(&mut self, group: &str) -> Result<(), TransportError> {
        let member: BaseConsumer = self.member.clone().set("group.id", group).create().map_err(error::of)?;
        let asked = offsets::list(&[TopicPartition::new(NO_TOPIC, 0)]);
        let started = Instant::now();
        loop {
            let answered = member.committed_offsets(asked.clone(), REFUSAL_LOOK);
            let is_answered = answered.is_ok();
            let told = std::iter::from_fn(|| member.poll(Duration::ZERO)).filter_map(Result::err);
            let refused = answered.err().into_iter().chain(told).find_map(|failed| match error::of(failed) {
                TransportError::Invalid(reason) => {
                    Some(TransportError::Invalid(reason.rephrase(|text| format!("group '{group}': {text}"))))
                }
                _ => None,
            });
            match refused {
                Some(refused) => return Err(refused),
                None if is_answered || started.elapsed() > REFUSAL => return Ok(()),
                None => {}
            }
        }
    }

    /// Kafka replaces all settings of a topic at once, so the topic's own settings are sent again.
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
                Err(TransportError::Invalid(format!("group '{group}' still has members; stop them first").into()))
            }
            Some(Err((_, code))) => Err(error::of_group(code, group)),
            None => {
                Err(TransportError::Retriable(format!("the broker's answer does not mention group '{group}'").into()))
            }
        }
    }
}

fn retention_ms(retention: Option<Duration>) -> String {
    retention.map_or_else(|| "-1".to_owned(), |retention| retention.as_millis().to_string())
}

fn policy(cleanup: CleanupPolicy) -> &'static str {
    match cleanup {
        CleanupPolicy::Delete => "delete",
        CleanupPolicy::Compact | CleanupPolicy::CompactAfter(_) => "compact",
        CleanupPolicy::CompactDelete => "compact,delete",
    }
}
