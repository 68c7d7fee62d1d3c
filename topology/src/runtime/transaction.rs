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
    /// Exactly once, and the log did not say whether it committed: only a new producer can settle that.
    Unknown,
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
            Self::Open | Self::Unknown | Self::Unflushed => {}
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
            if let Err(error) = producer.commit_transaction() {
                // A refusal or a newer producer is an answer; anything else is none.
                if !matches!(error, TransportError::Abort(_) | TransportError::Fenced(_)) {
                    *self = Self::Unknown;
                }
                return Err(error);
            }
            *self = Self::Closed;
        }
        Ok(producer.take_acknowledged().into_iter().collect())
    }

    /// Drops what was sent. Without a transaction some of it may be in the log; the rest must not come after what is
    /// restored, or after the records of a next owner.
    pub(crate) fn abort(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        match self {
            Self::Closed | Self::Unknown | Self::Flushed => {}
            Self::Open => {
                producer.abort_transaction()?;
                *self = Self::Closed;
            }
            Self::Unflushed => {
                producer.discard();
                *self = Self::Flushed;
            }
        }
        Ok(())
    }
}
