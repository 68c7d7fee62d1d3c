//! Apache Kafka, by librdkafka: consumer groups, transactions, topics.
//!
//! The only folder that names rdkafka. What it does beside passing calls on:
//!
//! - Each owned partition has a queue of its own, so that pausing costs nothing, batches come by partition,
//!   and the end of a partition is known.
//! - Revoked partitions stay owned until they are released: the rebalance callback only takes notes.
//! - A transaction commits within milliseconds: deliveries are served in short slices before librdkafka is asked to
//!   commit, instead of in its own slices of 100 ms.
//! - A producer knows whether librdkafka sent the end of a transaction, or its offsets, more than once: librdkafka tells
//!   that in its log alone, which is therefore read (`debug=eos,broker`), and printed only as far as somebody asked.

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

/// Apache Kafka as the log. Cheap to clone; clones share what was learned of the brokers.
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
    shared: Arc<Shared>,
}

/// What all clients of a transport know.
struct Shared {
    config: KafkaConfig,
    /// The brokers turned out not to know KIP-848's group protocol.
    classic: AtomicBool,
    /// What librdkafka calls members and their epochs, by the names that our members go by.
    memberships: Mutex<HashMap<String, Arc<ConsumerGroupMetadata>>>,
    /// Members so far, to give each a name.
    members: AtomicU64,
}

impl KafkaTransport {
    /// Checks the settings; connects to nothing yet.
    ///
    /// # Errors
    /// [`TransportError::Invalid`] with all problems of the settings together.
    pub fn new(config: KafkaConfig) -> Result<Self, TransportError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(TransportError::Invalid(problems.join("; ")));
        }
        let classic = AtomicBool::new(config.group_protocol == GroupProtocol::Classic);
        let (memberships, members) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self { shared: Arc::new(Shared { config, classic, memberships, members }) })
    }

    /// Whether groups use the classic protocol, by setting or because the brokers know no other.
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
