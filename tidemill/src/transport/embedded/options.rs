//! The options of an embedded log.

use std::{fmt, sync::Arc};

use crate::clock::{Clock, SystemClock};
use crate::transport::embedded::{
    EmbeddedLog,
    log::broker::Broker,
    storage::{MemoryStorage, Restored},
};

/// Builds an [`EmbeddedLog`] with options.
#[derive(Clone)]
pub struct EmbeddedLogBuilder {
    clock: Arc<dyn Clock>,
    #[cfg(feature = "rocksdb")]
    durable: crate::transport::embedded::storage::durable::DurableOptions,
}

impl Default for EmbeddedLogBuilder {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            #[cfg(feature = "rocksdb")]
            durable: crate::transport::embedded::storage::durable::DurableOptions {
                sync: false,
                tail_bytes: 64 * 1024 * 1024,
            },
        }
    }
}

impl EmbeddedLogBuilder {
    /// Sets the clock for sessions, retention and maintenance. Default: the system clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets whether each commit waits until it is on disk. With `true`, committed records survive a power loss. With
    /// `false`, the default, they survive only the end of the process.
    #[cfg(feature = "rocksdb")]
    pub fn sync(mut self, sync: bool) -> Self {
        self.durable.sync = sync;
        self
    }

    /// Sets how much memory the newest records of all partitions may use, in bytes. Consumers that keep up then need
    /// not read from disk. Each partition gets at least 64 KiB and at most 4 MiB. Default 64 MiB.
    #[cfg(feature = "rocksdb")]
    pub fn tail_bytes(mut self, bytes: usize) -> Self {
        self.durable.tail_bytes = bytes;
        self
    }

    /// Opens an empty log in memory. It exists as long as its clones and clients.
    pub fn in_memory(self) -> EmbeddedLog {
        EmbeddedLog::new(Broker::new(self.clock, Box::new(MemoryStorage), Restored::default()))
    }

    /// Opens the log in a folder, which is created if it does not exist. Returns
    /// [`Invalid`](crate::transport::TransportError::Invalid) if another process or log uses the folder.
    #[cfg(feature = "rocksdb")]
    pub fn open(self, path: impl AsRef<std::path::Path>) -> Result<EmbeddedLog, crate::transport::TransportError> {
        let (storage, restored) =
            crate::transport::embedded::storage::durable::DurableStorage::open(path.as_ref(), self.durable)?;
        Ok(EmbeddedLog::new(Broker::new(self.clock, Box::new(storage), restored)))
    }
}

impl fmt::Debug for EmbeddedLogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLogBuilder").finish_non_exhaustive()
    }
}
