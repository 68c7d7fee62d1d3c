//! How a log is opened.

use std::{fmt, sync::Arc};

use crate::clock::{Clock, SystemClock};
use crate::transport::embedded::{
    EmbeddedLog,
    log::broker::Broker,
    storage::{MemoryStorage, Restored},
};

/// Options of an [`EmbeddedLog`].
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
    /// The clock that sessions, retention and upkeep go by. A simulation gives its own.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Whether each commit waits until the disk has it, so that a power loss takes nothing that was committed.
    /// Without it, that holds when the process is killed. Default false.
    #[cfg(feature = "rocksdb")]
    pub fn sync(mut self, sync: bool) -> Self {
        self.durable.sync = sync;
        self
    }

    /// How much memory the newest records may take, over all partitions, so that consumers which keep up need not
    /// read the disk. A partition has at least 64 KiB and at most 4 MiB. Default 64 MiB.
    #[cfg(feature = "rocksdb")]
    pub fn tail_bytes(mut self, bytes: usize) -> Self {
        self.durable.tail_bytes = bytes;
        self
    }

    /// Opens an empty log that lives as long as its clients.
    pub fn in_memory(self) -> EmbeddedLog {
        EmbeddedLog::new(Broker::new(self.clock, Box::new(MemoryStorage), Restored::default()))
    }

    /// Opens the log in a folder, which is created if there is none.
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
