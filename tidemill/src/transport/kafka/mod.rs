//! Apache Kafka through librdkafka: consumer groups, transactions, topics.
//!
//! Only this folder uses the rdkafka crate. It adds the following to librdkafka:
//!
//! - Each owned partition has its own queue. Pausing is therefore cheap, each batch belongs to one partition, and the
//!   end of a partition is known.
//! - Revoked partitions stay owned until they are released: the rebalance callback only records the rebalance.
//! - A transaction commits within milliseconds: deliveries are served in short steps before librdkafka commits, instead
//!   of in librdkafka's own steps of 100 ms.
//! - A producer knows whether librdkafka sent the end of a transaction, or its offsets, more than once. Only
//!   librdkafka's log shows this. The producer therefore reads the log (`debug=eos,broker`), and prints only the log
//!   lines at the level that the user chose.

mod admin;
mod client;
mod consumer;
mod context;
mod error;
mod inbox;
mod missing;
mod offsets;
mod producer;
mod reader;
mod settings;
mod signal;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rdkafka::consumer::ConsumerGroupMetadata;

pub use settings::{GroupProtocol, KafkaConfig};

use super::{Admin, Consumer, ConsumerConfig, Producer, ProducerConfig, Reader, Transport, TransportError};

/// Apache Kafka as the log. Cheap to clone. Clones share what they learn about the brokers.
///
/// ```no_run
/// use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::kafka::{KafkaConfig, KafkaTransport}};
///
/// let kafka = KafkaTransport::new(KafkaConfig::new("localhost:9092"))?;
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
/// Streams::start(&builder.build()?, StreamsConfig::new("shout"), kafka)?.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KafkaTransport {
    shared: Arc<TransportState>,
}

/// State shared by all clients of a transport.
struct TransportState {
    config: KafkaConfig,
    /// The brokers do not support KIP-848's group protocol, or the settings choose the classic one.
    classic: AtomicBool,
    /// librdkafka's group metadata of each member, by our names of the members.
    memberships: Mutex<HashMap<String, Arc<ConsumerGroupMetadata>>>,
    /// The number of members opened so far. It makes each name unique.
    members: AtomicU64,
}

impl KafkaTransport {
    /// Checks the settings. Does not connect to the brokers yet. See the example of [`KafkaTransport`].
    ///
    /// # Errors
    ///
    /// [`TransportError::Invalid`], with all problems of the settings in one message.
    ///
    /// ```
    /// use tidemill::transport::kafka::{KafkaConfig, KafkaTransport};
    ///
    /// let config = KafkaConfig::new("localhost:9092").set("enable.auto.commit", "true");
    /// let error = KafkaTransport::new(config).err().expect("Tidemill commits by itself");
    /// assert!(error.to_string().contains("'enable.auto.commit' cannot be set"));
    /// ```
    pub fn new(config: KafkaConfig) -> Result<Self, TransportError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(TransportError::Invalid(problems.join("; ").into()));
        }
        let classic = AtomicBool::new(config.group_protocol == GroupProtocol::Classic);
        let (memberships, members) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self { shared: Arc::new(TransportState { config, classic, memberships, members }) })
    }

    /// Whether groups use the classic protocol, either by setting or because the brokers support no other. The latter
    /// is known after the first heartbeat of a member.
    ///
    /// ```
    /// use tidemill::transport::kafka::{GroupProtocol, KafkaConfig, KafkaTransport};
    ///
    /// let config = KafkaConfig::new("localhost:9092").group_protocol(GroupProtocol::Classic);
    /// assert!(KafkaTransport::new(config)?.is_classic());
    /// # Ok::<(), tidemill::transport::TransportError>(())
    /// ```
    pub fn is_classic(&self) -> bool {
        self.shared.classic.load(Ordering::Relaxed)
    }
}

impl Transport for KafkaTransport {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        Ok(Box::new(consumer::KafkaConsumer::open(Arc::clone(&self.shared), config.clone())?))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        Ok(Box::new(reader::KafkaReader::open(&self.shared.config)?))
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        Ok(Box::new(producer::KafkaProducer::open(Arc::clone(&self.shared), config)?))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        Ok(Box::new(admin::KafkaAdmin::open(&self.shared.config)?))
    }

    fn transaction_timeout(&self) -> Option<Duration> {
        Some(self.shared.config.transaction_timeout)
    }
}
