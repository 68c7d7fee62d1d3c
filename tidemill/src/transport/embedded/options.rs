//! The options of an embedded log.

use std::{fmt, sync::Arc};

use crate::clock::{Clock, SystemClock};
use crate::transport::embedded::{
    EmbeddedLog,
    log::broker::Broker,
    storage::{MemoryStorage, Restored},
};

/// Builds an [`EmbeddedLog`] with options.
///
/// ```
/// use std::time::Duration;
/// use tidemill::{ManualClock, transport::embedded::EmbeddedLog};
///
/// let clock = ManualClock::new(1_700_000_000_000);
/// let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
/// log.create("chat", 1)?;
/// clock.advance(Duration::from_hours(24)); // A day passes for sessions and retention.
/// # Ok::<(), tidemill::transport::TransportError>(())
/// ```
#[derive(Clone)]
pub struct EmbeddedLogBuilder {
    clock: Arc<dyn Clock>,
    record_bytes_max: Option<usize>,
    #[cfg(feature = "rocksdb")]
    durable: crate::transport::embedded::storage::durable::DurableOptions,
}

impl Default for EmbeddedLogBuilder {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            record_bytes_max: None,
            #[cfg(feature = "rocksdb")]
            durable: crate::transport::embedded::storage::durable::DurableOptions {
                sync: false,
                memory_bytes: 128 * 1024 * 1024,
            },
        }
    }
}

impl EmbeddedLogBuilder {
    /// Sets the clock for sessions, retention and maintenance. Default: the system clock. See the example of
    /// [`EmbeddedLogBuilder`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets whether each commit waits until it is on disk. With `true`, committed records survive a power loss. With
    /// `false`, the default, they survive only the end of the process. Needs the feature `rocksdb`.
    ///
    /// ```no_run
    /// # use tidemill::transport::embedded::EmbeddedLog;
    /// let log = EmbeddedLog::builder().sync(true).memory_bytes(32 << 20).open("data/log")?;
    /// # Ok::<(), tidemill::transport::TransportError>(())
    /// ```
    #[cfg(feature = "rocksdb")]
    pub fn sync(mut self, sync: bool) -> Self {
        self.durable.sync = sync;
        self
    }

    /// Sets how much memory the log may use for records, in bytes. One half keeps the newest records of all partitions,
    /// at least 64 KiB and at most 4 MiB of each, so that consumers that keep up need not read from disk. The other
    /// half, at least 1 MiB, keeps records that are not in files yet, and parts of files that were read. Default
    /// 128 MiB. Needs the feature `rocksdb`. See
    /// the example of [`EmbeddedLogBuilder::sync`].
    #[cfg(feature = "rocksdb")]
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.durable.memory_bytes = bytes;
        self
    }

    /// Sets how many bytes the key, the value and the headers of a record may have together (`message.max.bytes` in
    /// Kafka). The log refuses larger records. Default: no limit.
    ///
    /// ```
    /// use tidemill::transport::embedded::{EmbeddedLog, Entry};
    ///
    /// let log = EmbeddedLog::builder().max_record_bytes(8).in_memory();
    /// log.create("chat", 1)?;
    /// log.append("chat", 0, [Entry::new("ann", "hello", 0)])?;
    /// assert!(log.append("chat", 0, [Entry::new("ann", "hello all", 0)]).is_err());
    /// # Ok::<(), tidemill::transport::TransportError>(())
    /// ```
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.record_bytes_max = Some(bytes);
        self
    }

    /// Opens an empty log in memory. It exists as long as its clones and clients. See the example of
    /// [`EmbeddedLogBuilder`].
    pub fn in_memory(self) -> EmbeddedLog {
        EmbeddedLog::new(Broker::new(self.clock, Box::new(MemoryStorage), Restored::default(), self.record_bytes_max))
    }

    /// Opens the log in a folder, which is created if it does not exist. Needs the feature `rocksdb`. See the example
    /// of [`EmbeddedLogBuilder::sync`].
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::transport::TransportError::Invalid) if another process or log uses the folder.
    #[cfg(feature = "rocksdb")]
    pub fn open(self, path: impl AsRef<std::path::Path>) -> Result<EmbeddedLog, crate::transport::TransportError> {
        let (storage, restored) =
            crate::transport::embedded::storage::durable::DurableStorage::open(path.as_ref(), self.durable)?;
        Ok(EmbeddedLog::new(Broker::new(self.clock, Box::new(storage), restored, self.record_bytes_max)))
    }
}

impl fmt::Debug for EmbeddedLogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLogBuilder").finish_non_exhaustive()
    }
}
