//! A partitioned log inside the process: consumer groups, transactions, fencing, retention, compaction.
//!
//! In memory it serves tests and simulations; on `RocksDB` it serves a program that runs without a broker and must not
//! forget at a restart. Clients work as Kafka's do, except that a transaction's records reach the log when it
//! commits: what is in the log is committed.

mod storage;

mod group;
mod log;

mod clients;

mod inspect;
mod options;

use std::{fmt, sync::Arc};

pub use inspect::{Entry, GroupDescription, MemberDescription, PartitionLag};
pub use options::EmbeddedLogBuilder;

use self::{
    clients::{
        admin::EmbeddedAdmin, consumer::EmbeddedConsumer, producer::PlainProducer, reader::EmbeddedReader,
        transactions::TransactionalProducer,
    },
    log::broker::Broker,
};
use super::{Admin, Consumer, ConsumerConfig, Producer, ProducerConfig, Reader, Transport, TransportError};

/// The embedded log. Clones share it; a log on disk closes when its last clone and client are dropped.
#[derive(Clone)]
pub struct EmbeddedLog {
    broker: Arc<Broker>,
}

impl EmbeddedLog {
    /// An empty log in memory, by the system's clock.
    pub fn in_memory() -> Self {
        Self::builder().in_memory()
    }

    /// The log in a folder, which is created if there is none. One process at a time may have it open.
    #[cfg(feature = "rocksdb")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, TransportError> {
        Self::builder().open(path)
    }

    /// Options for a log.
    pub fn builder() -> EmbeddedLogBuilder {
        EmbeddedLogBuilder::default()
    }

    /// Applies retention and compaction now. The log does so by itself while records are appended.
    pub fn maintain(&self) -> Result<(), TransportError> {
        self.broker.maintain()
    }

    fn new(broker: Broker) -> Self {
        Self { broker: Arc::new(broker) }
    }
}

impl Transport for EmbeddedLog {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        if config.group.is_empty() || config.max_poll_records == 0 {
            return Err(TransportError::Invalid("a consumer needs a group and at least one record a poll".to_owned()));
        }
        Ok(Box::new(EmbeddedConsumer::new(Arc::clone(&self.broker), config.clone())))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        Ok(Box::new(EmbeddedReader::new(Arc::clone(&self.broker))))
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        let broker = Arc::clone(&self.broker);
        Ok(match &config.transactional_id {
            Some(id) => Box::new(TransactionalProducer::new(broker, id.clone())),
            None => Box::new(PlainProducer::new(broker)),
        })
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        Ok(Box::new(EmbeddedAdmin::new(Arc::clone(&self.broker))))
    }
}

impl fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLog").finish_non_exhaustive()
    }
}
