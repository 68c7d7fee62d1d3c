//! The interface for sending records to the log.

use super::{Acknowledged, Consumed, PendingCommit, ProducerRecord, TransportError};

/// Sends records. In a transaction, it also commits the offsets of the consumed records.
///
/// ```text
/// with a transactional id     begin_transaction → send … → begin_commit ─▶ PendingCommit ─▶ Acknowledged
///                                                        ↘ abort_transaction
/// without                                         send … → begin_flush ──▶ PendingCommit ─▶ Acknowledged
///                                                        ↘ discard
/// ```
///
/// Every implementation guarantees:
///
/// - Records of a partition enter the log in the order in which they were sent, across transactions and flushes.
/// - Beginning a commit takes no round trip to the log. Only [`PendingCommit::poll`] waits for the log.
/// - A commit continues while records for the next transaction are sent.
/// - [`TransportError::Abort`] and [`TransportError::Fenced`] are refusals. They are returned only if the log can no
///   longer commit any part of the transaction.
/// - A request that ended one transaction does not end a later one. A producer that cannot guarantee this reports it
///   with [`Producer::may_end_again`]. If the log gives each transaction its own epoch (KIP-890), it refuses a repeated
///   request because the request names an old epoch. Such a producer never has to report this.
///
/// ```
/// # use tidemill::transport::embedded::EmbeddedLog;
/// use tidemill::transport::{Headers, ProducerConfig, ProducerRecord, Transport as _};
/// # let log = EmbeddedLog::in_memory();
/// # log.create("orders", 1)?;
/// # let order = |value: &str| {
/// #     let (key, value) = (Some("ann".into()), Some(value.to_owned().into()));
/// #     ProducerRecord { topic: "orders".into(), partition: 0, timestamp: 0, key, value, headers: Headers::new() }
/// # };
///
/// let mut producer = log.producer(&ProducerConfig { transactional_id: Some("shop-1".into()) })?;
/// producer.init_transactions()?;
/// producer.begin_transaction()?;
/// producer.send(order("tea"))?;
/// producer.abort_transaction()?;
/// producer.begin_transaction()?;
/// producer.send(order("jam"))?;
/// producer.begin_commit(None)?.wait()?;
/// assert_eq!(log.read_all("orders")?[0].1.value.as_deref(), Some(&b"jam"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Producer: Send {
    /// Fences older producers with the same transactional id and aborts their open transactions. If an older producer
    /// began a commit, this method returns only after that commit is complete, including its offsets. Call it once,
    /// before any other method.
    fn init_transactions(&mut self) -> Result<(), TransportError>;
    /// Opens a transaction: the first one, the next one after an end, or one during a commit that allows sending ahead.
    fn begin_transaction(&mut self) -> Result<(), TransportError>;
    /// Queues one record. This method, or the later commit or flush, returns the errors.
    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError>;
    /// Adds consumed offsets to the transaction and waits until the log has stored them.
    fn send_offsets(&mut self, consumed: Consumed<'_>) -> Result<(), TransportError>;
    /// Begins to commit the transaction: its records, its offsets and the offsets in `consumed` become visible
    /// together. The errors are those of [`PendingCommit::poll`].
    fn begin_commit(&mut self, consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError>;
    /// Commits the transaction's records and offsets together, and waits for the answer.
    fn commit_transaction(&mut self) -> Result<Acknowledged, TransportError> {
        self.begin_commit(None)?.wait()
    }
    /// Aborts the transaction, with its records and offsets. The transaction may be open, begun ahead, or refused at
    /// its commit. After an error it is unknown whether the log aborted the transaction, and only a new producer with
    /// the same transactional id settles it.
    fn abort_transaction(&mut self) -> Result<(), TransportError>;
    /// Whether a request that ended a transaction may reach the log a second time, because it was sent again and the
    /// first request may still arrive. A late request would end the producer's open transaction, whichever that is. Do
    /// not begin another transaction with such a producer: a new producer with the same transactional id fences the
    /// late request.
    ///
    /// The default is `false`, for a log that receives each request once.
    fn may_end_again(&mut self) -> bool {
        false
    }
    /// Begins to wait until the log has acknowledged every record sent outside a transaction so far.
    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError>;
    /// Waits until every record sent outside a transaction is acknowledged. After an error it may be called again.
    fn flush(&mut self) -> Result<Acknowledged, TransportError> {
        self.begin_flush()?.wait()
    }
    /// Drops records that were sent outside a transaction and have not left for the log yet.
    fn discard(&mut self);
}
