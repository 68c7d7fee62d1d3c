//! The settings of the Kafka connection, and the defaults in which Tidemill differs from librdkafka.

use std::{collections::BTreeMap, fmt, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

/// How the members of a group agree on their partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// The protocol of KIP-848, or the classic protocol if the brokers do not support KIP-848.
    #[default]
    Auto,
    /// KIP-848's protocol `consumer` with the broker's assignor `range`: a rebalance moves only the necessary
    /// partitions, and the other members continue.
    Consumer,
    /// The classic protocol with the assignor `range`: every rebalance stops all members for a moment. Use it for
    /// brokers older than Kafka 4.0.
    Classic,
}

/// The settings of the Kafka connection.
///
/// Every property of librdkafka can be set, except those that Tidemill decides itself. As in Kafka Streams, a property
/// that begins with `consumer.`, `producer.` or `admin.` applies only to those clients. Any other property applies to
/// all clients. `{:?}` prints the names of properties, never their values.
///
/// ```
/// use tidemill::transport::kafka::KafkaConfig;
///
/// let config = KafkaConfig::new("broker-1:9093,broker-2:9093")
///     .replication_factor(3)
///     .set("security.protocol", "sasl_ssl")
///     .set("sasl.mechanism", "SCRAM-SHA-512")
///     .set("sasl.username", "mill")
///     .set("sasl.password", "never printed")
///     .set("producer.compression.type", "zstd");
/// assert!(!format!("{config:?}").contains("never printed"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Addresses of some brokers: `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// The replication factor of created topics. With `-1`, the default, the broker's `default.replication.factor`
    /// applies.
    pub replication_factor: i32,
    /// The group protocol. Default [`GroupProtocol::Auto`].
    pub group_protocol: GroupProtocol,
    /// The broker aborts transactions that are open for longer than this, and their records are processed again. If an
    /// instance crashes, readers cannot read beyond its open transaction until then. Default 10 s.
    pub transaction_timeout: Duration,
    properties: BTreeMap<String, String>,
}

/// Properties that Tidemill's guarantees depend on, with the setting that decides each of them instead.
const RESERVED: [(&str, &str); 12] = [
    ("bootstrap.servers", "KafkaConfig::new"),
    ("metadata.broker.list", "KafkaConfig::new"),
    ("group.id", "the application id"),
    ("client.id", "the client id"),
    ("group.instance.id", "the instance id"),
    ("group.protocol", "KafkaConfig::group_protocol"),
    ("group.remote.assignor", "Tidemill: only range keeps same-numbered partitions together"),
    ("partition.assignment.strategy", "Tidemill: only range keeps same-numbered partitions together"),
    ("enable.auto.commit", "Tidemill: offsets commit with the work"),
    ("isolation.level", "Tidemill: only committed records are read"),
    ("enable.partition.eof", "Tidemill"),
    ("transactional.id", "the application id and client id"),
];

/// The kind of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Consumer,
    Producer,
    Admin,
}

impl Role {
    const ALL: [Self; 3] = [Self::Consumer, Self::Producer, Self::Admin];

    fn prefix(self) -> &'static str {
        match self {
            Self::Consumer => "consumer.",
            Self::Producer => "producer.",
            Self::Admin => "admin.",
        }
    }

    fn defaults(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Consumer => &[
                ("isolation.level", "read_committed"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("enable.partition.eof", "true"),
                ("auto.offset.reset", "earliest"),
                ("allow.auto.create.topics", "false"),
                // The fetch after the last record finds the end of a partition, so it should not wait long.
                ("fetch.wait.max.ms", "50"),
                ("fetch.queue.backoff.ms", "5"),
                ("fetch.error.backoff.ms", "100"),
                // These limits apply to each partition. They are low so that many partitions do not fill the memory.
                ("queued.min.messages", "20000"),
                ("queued.max.messages.kbytes", "16384"),
                // TCP already checks the data, and so does the broker when it appends the records.
                ("check.crcs", "false"),
                ("topic.metadata.refresh.interval.ms", "60000"),
            ],
            Self::Producer => &[
                ("enable.idempotence", "true"),
                // The broker asks a producer to retry if a transaction begins before the previous one is finished.
                ("retry.backoff.ms", "4"),
                // The default of Kafka's own producers since 4.0 (KIP-1030). A commit sends all waiting records
                // immediately.
                ("linger.ms", "5"),
                // A topic that stays unknown for this long does not exist.
                ("topic.metadata.propagation.max.ms", "10000"),
                ("batch.num.messages", "100000"),
                ("batch.size", "1000000"),
                ("queue.buffering.max.messages", "500000"),
                ("queue.buffering.max.kbytes", "131072"),
                ("partitioner", "murmur2_random"),
            ],
            Self::Admin => &[],
        }
    }
}

impl KafkaConfig {
    /// Settings for brokers at these addresses (`host:port`, separated by commas; `bootstrap.servers` in Kafka), with
    /// defaults for everything else. See the example of [`KafkaConfig`].
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            replication_factor: -1,
            group_protocol: GroupProtocol::default(),
            transaction_timeout: Duration::from_secs(10),
            properties: BTreeMap::new(),
        }
    }

    /// Sets a property of librdkafka. [`KafkaTransport::new`](super::KafkaTransport::new) checks it. See the example of
    /// [`KafkaConfig`].
    #[must_use]
    pub fn set(mut self, property: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(property.into(), value.into());
        self
    }

    /// Sets the replication factor of created topics (`replication.factor` in Kafka Streams): at least 1, or -1, the
    /// default, for the broker's own. See the example of [`KafkaConfig`].
    #[must_use]
    pub fn replication_factor(mut self, copies: i32) -> Self {
        self.replication_factor = copies;
        self
    }

    /// Sets the group protocol (`group.protocol` in Kafka). See the example of
    /// [`KafkaTransport::is_classic`](super::KafkaTransport::is_classic).
    #[must_use]
    pub fn group_protocol(mut self, protocol: GroupProtocol) -> Self {
        self.group_protocol = protocol;
        self
    }

    /// Sets how long a transaction may stay open (`transaction.timeout.ms` in Kafka). Values below 1 s count as 1 s.
    /// Default 10 s, as in Kafka Streams.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use tidemill::transport::kafka::KafkaConfig;
    ///
    /// let config = KafkaConfig::new("localhost:9092").transaction_timeout(Duration::from_secs(60));
    /// assert_eq!(config.transaction_timeout, Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.transaction_timeout = timeout;
        self
    }

    /// All problems of the settings, one sentence each. The sentences contain no values, because a value may be a
    /// secret.
    ///
    /// ```
    /// use tidemill::transport::kafka::KafkaConfig;
    ///
    /// assert!(KafkaConfig::new("localhost:9092").problems().is_empty());
    /// assert_eq!(KafkaConfig::new("").replication_factor(0).problems().len(), 2);
    /// ```
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.bootstrap_servers.trim().is_empty() {
            problems.push("no broker is set: give at least one as host:port".to_owned());
        }
        if self.replication_factor == 0 || self.replication_factor < -1 {
            problems.push("the replication factor must be at least 1, or -1 for the broker's default".to_owned());
        }
        if self.transaction_timeout.is_zero() {
            problems.push("the transaction timeout must be longer than 0".to_owned());
        }
        for (name, value) in &self.properties {
            let bare = Role::ALL.iter().find_map(|role| name.strip_prefix(role.prefix())).unwrap_or(name);
            if let Some((_, owner)) = RESERVED.iter().find(|(reserved, _)| *reserved == bare) {
                problems.push(format!("the Kafka property '{name}' cannot be set: it is decided by {owner}"));
            } else if let Err(error) = ClientConfig::new().set(bare, value).create_native_config() {
                let reason = match error {
                    rdkafka::error::KafkaError::ClientConfig(_, description, ..) => description,
                    other => other.to_string(),
                };
                problems.push(format!("the Kafka property '{name}' is not accepted: {}", reason.replace(value, "…")));
            }
        }
        problems
    }

    /// Whether a partition without a committed offset is read from its end (`auto.offset.reset`).
    pub(super) fn starts_at_end(&self) -> bool {
        let said = self.properties.get("consumer.auto.offset.reset").or(self.properties.get("auto.offset.reset"));
        said.is_some_and(|reset| matches!(reset.as_str(), "latest" | "largest" | "end"))
    }

    /// The configuration of a client of this role. The user's properties override the defaults.
    pub(super) fn client(&self, role: Role) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.bootstrap_servers);
        for (name, value) in role.defaults() {
            client.set(*name, *value);
        }
        let shared = self.properties.iter().filter(|(name, _)| !Role::ALL.iter().any(|r| name.starts_with(r.prefix())));
        for (name, value) in shared {
            client.set(name, value);
        }
        for (name, value) in &self.properties {
            if let Some(name) = name.strip_prefix(role.prefix()) {
                client.set(name, value);
            }
        }
        let level = if tracing::enabled!(target: "librdkafka", tracing::Level::DEBUG) {
            RDKafkaLogLevel::Debug
        } else {
            RDKafkaLogLevel::Warning
        };
        client.set_log_level(level);
        client
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("replication_factor", &self.replication_factor)
            .field("group_protocol", &self.group_protocol)
            .field("transaction_timeout", &self.transaction_timeout)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_and_no_value_is() {
        let config = KafkaConfig::new(" ")
            .replication_factor(0)
            .set("sasl.pasword", "hunter2")
            .set("producer.acks", "hunter2")
            .set("group.id", "mine")
            .set("linger.ms", "7");
        let problems = config.problems();
        for part in ["no broker", "replication factor", "'sasl.pasword'", "'producer.acks'", "application id"] {
            assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
        }
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(!format!("{problems:?}{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_property_reaches_the_clients_that_it_names() {
        let config = KafkaConfig::new("b:1").set("linger.ms", "7").set("producer.linger.ms", "9");
        assert_eq!(config.client(Role::Producer).get("linger.ms"), Some("9"));
        assert_eq!(config.client(Role::Admin).get("linger.ms"), Some("7"));
    }
}
