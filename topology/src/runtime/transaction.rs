//! One transaction a thread: opened with the first record sent, closed by a commit or an abort.

use std::collections::BTreeMap;

use crate::{
    config::ProcessingGuarantee,
    transport::{CommittedOffset, Consumer, Offset, Producer, ProducerRecord, TopicPartition, TransportError},
};

/// Whether a transaction is open, or, where none is ever used, whether something waits to be flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// Exactly once, nothing sent yet.
    Closed,
    /// Exactly once, something sent.
    Open,
    /// At least once, everything sent is flushed.
    Flushed,
    /// At least once, something sent since the last flush.
    Unflushed,
}

impl Transaction {
    pub(crate) fn new(guarantee: ProcessingGuarantee) -> Self {
        match guarantee {
            ProcessingGuarantee::ExactlyOnce => Self::Closed,
            ProcessingGuarantee::AtLeastOnce => Self::Flushed,
        }
    }

    pub(crate) fn send(&mut self, producer: &mut dyn Producer, record: ProducerRecord) -> Result<(), TransportError> {
        self.begin(producer)?;
        producer.send(record)
    }

    fn begin(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        match self {
            Self::Closed => {
                producer.begin_transaction()?;
                *self = Self::Open;
            }
            Self::Flushed => *self = Self::Unflushed,
            Self::Open | Self::Unflushed => {}
        }
        Ok(())
    }

    /// Whether something was sent that a commit must bring out.
    pub(crate) fn is_pending(self) -> bool {
        matches!(self, Self::Open | Self::Unflushed)
    }

    /// Commits what was sent, and the offsets it was made from. Returns where each written partition now ends.
    pub(crate) fn commit(
        &mut self,
        producer: &mut dyn Producer,
        consumer: &mut dyn Consumer,
        offsets: &[(TopicPartition, CommittedOffset)],
    ) -> Result<BTreeMap<TopicPartition, Offset>, TransportError> {
        self.begin(producer)?;
        if *self == Self::Unflushed {
            producer.flush()?;
            *self = Self::Flushed;
            consumer.commit(offsets)?;
        } else {
            producer.send_offsets(offsets, &consumer.group_metadata())?;
            producer.commit_transaction()?;
            *self = Self::Closed;
        }
        Ok(producer.take_acknowledged().into_iter().collect())
    }

    /// Drops what was sent, where that is possible.
    pub(crate) fn abort(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        if *self == Self::Open {
            *self = Self::Closed;
            producer.abort_transaction()?;
        }
        Ok(())
    }
}
