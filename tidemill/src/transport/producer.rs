//! What sends records to the log.

use super::{Acknowledged, Consumed, PendingCommit, ProducerRecord, TransportError};

/// Sends records; in a transaction, together with the offsets of what they were made from.
///
/// ```text
/// with a transactional id     begin_transaction → send … → begin_commit ─▶ PendingCommit ─▶ Acknowledged
///                                                        ↘ abort_transaction
/// without                                         send … → begin_flush ──▶ PendingCommit ─▶ Acknowledged
///                                                        ↘ discard
/// ```
///
/// Whoever implements it promises:
///
/// - Records of a partition enter the log in the order in which they were sent, across transactions and flushes.
/// - Where a commit may wait for the log, that happens in [`PendingCommit::poll`]: to begin one takes no round trip.
/// - A commit goes on beside what is sent ahead.
/// - An error is a refusal, [`TransportError::Abort`] or [`TransportError::Fenced`], only if the log can commit nothing
///   of the transaction any more.
/// - A request that ended a transaction ends no later one. A producer that cannot know says so with
///   [`Producer::may_end_again`]. Where the log gives each transaction an epoch of its own (KIP-890), a repeated request
///   names an old epoch and is refused: such a producer never has to say so.
pub trait Producer: Send {
    /// Fences older producers of the same transactional id and aborts what they left open; a commit that one of them
    /// began is finished before this returns, its offsets included. Once, before any other call.
    fn init_transactions(&mut self) -> Result<(), TransportError>;
    /// Opens a transaction: the first one, the one after an end, or ahead of a commit that lets it.
    fn begin_transaction(&mut self) -> Result<(), TransportError>;
    /// Queues one record. Errors may surface here, or with the commit or flush.
    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError>;
    /// Adds consumed offsets to the transaction, and waits until the log has them.
    fn send_offsets(&mut self, consumed: Consumed<'_>) -> Result<(), TransportError>;
    /// Begins to make records and offsets of the transaction visible together, these offsets included. Errors are those
    /// of [`PendingCommit::poll`].
    fn begin_commit(&mut self, consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError>;
    /// Makes records and offsets of the transaction visible together, and waits for it.
    fn commit_transaction(&mut self) -> Result<Acknowledged, TransportError> {
        self.begin_commit(None)?.wait()
    }
    /// Drops records and offsets of the transaction: of one whose commit was refused, and of one that is open or was
    /// begun ahead. After an error nobody knows whether the log was told, and only a new producer of the same
    /// transactional id settles it.
    fn abort_transaction(&mut self) -> Result<(), TransportError>;
    /// Whether the end of a transaction may reach the log once more: its request was sent again, and the first one may be
    /// on its way still. When it comes, it ends whatever transaction of this producer is open then. So nothing more is
    /// begun with it: a new producer of the same transactional id fences what is on its way.
    ///
    /// A log that is asked once, and answers, needs none of this, which is the default.
    fn may_end_again(&mut self) -> bool {
        false
    }
    /// Begins to wait for the acknowledgement of everything sent outside a transaction so far.
    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError>;
    /// Waits until everything sent outside a transaction is acknowledged. After an error it may be asked again.
    fn flush(&mut self) -> Result<Acknowledged, TransportError> {
        self.begin_flush()?.wait()
    }
    /// Forgets what was sent outside a transaction and has not left for the log yet.
    fn discard(&mut self);
}
