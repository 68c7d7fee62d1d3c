//! A partitioned log inside the process: consumer groups, transactions, fencing, retention, compaction.
//!
//! The log in memory is made for tests and simulations. The log on `RocksDB` is made for programs that run without a
//! broker and must keep their data across restarts. Clients behave as Kafka's clients do, with one difference: the
//! records of a transaction reach the log only at the commit. Every record in the log is therefore committed.

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

/// The embedded log. Clones share it. A log on disk is closed when its last clone and its last client are dropped.
#[derive(Clone)]
pub struct EmbeddedLog {
    broker: Arc<Broker>,
}

impl EmbeddedLog {
    /// An empty log in memory, with the system clock.
    pub fn in_memory() -> Self {
        Self::builder().in_memory()
    }

    /// Opens the log in a folder, which is created if it does not exist. Only one process at a time may open a folder.
    #[cfg(feature = "rocksdb")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, TransportError> {
        Self::builder().open(path)
    }

    /// A builder for a log with other options.
    pub fn builder() -> EmbeddedLogBuilder {
        EmbeddedLogBuilder::default()
    }

    /// Applies retention and compaction now. The log also does this by itself while records are appended.
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
            return Err(TransportError::Invalid("a consumer needs a group and at least one record a poll".into()));
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
