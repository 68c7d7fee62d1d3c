//! A producer without transactions.

use std::sync::Arc;

use super::outbox::Outbox;
use crate::transport::embedded::log::broker::Broker;
use crate::transport::{Answered, Consumed, PendingCommit, Producer, ProducerRecord, TransportError};

/// With more waiting records or bytes than this, the producer appends them without a flush.
const RECORDS: usize = 1000;
const BYTES: usize = 1024 * 1024;

/// A producer without transactions. Its records become visible in batches, at the latest when it is flushed or dropped.
pub(in crate::transport::embedded) struct PlainProducer {
    outbox: Outbox,
}

impl PlainProducer {
    pub(in crate::transport::embedded) fn new(broker: Arc<Broker>) -> Self {
        Self { outbox: Outbox::new(broker) }
    }

    /// Appends the waiting records, which makes them visible.
    fn deliver(&mut self) -> Result<(), TransportError> {
        if self.outbox.waiting().0 == 0 {
            return Ok(());
        }
        let delivered = self.outbox.deliver(Vec::new());
        // Records of a deleted topic cannot be appended. Without them, the next flush can succeed.
        if let Err(TransportError::UnknownTopic(_)) = delivered {
            self.outbox.clear_deleted();
        }
        self.outbox.broker.maintain_if_due();
        delivered
    }
}

impl Producer for PlainProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        Err(no_transactions())
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        Err(no_transactions())
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.outbox.push(record)?;
        let (records, bytes) = self.outbox.waiting();
        if records >= RECORDS || bytes >= BYTES { self.deliver() } else { Ok(()) }
    }

    fn send_offsets(&mut self, _: Consumed<'_>) -> Result<(), TransportError> {
        Err(no_transactions())
    }

    fn begin_commit(&mut self, _: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError> {
        Err(no_transactions())
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        Err(no_transactions())
    }

    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError> {
        self.deliver()?;
        Ok(Box::new(Answered(self.outbox.take_acknowledged())))
    }

    fn discard(&mut self) {
        self.outbox.clear();
    }
}

impl Drop for PlainProducer {
    fn drop(&mut self) {
        if let Err(error) = self.deliver() {
            tracing::warn!(%error, "unflushed records are lost");
        }
    }
}

fn no_transactions() -> TransportError {
    TransportError::Invalid("this producer has no transactional id, so it has no transactions".into())
}
