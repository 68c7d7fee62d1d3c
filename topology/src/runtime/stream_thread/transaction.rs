//! One transaction a thread: opened with the first record sent, closed by a commit or an abort. While one is being
//! committed, what is sent belongs to the next, and waits until the log takes that.

use std::time::Duration;

use crate::{
    config::ProcessingGuarantee,
    transport::{
        Acknowledged, CommittedOffset, Consumed, Consumer, PendingCommit, Producer, ProducerRecord, Progress,
        TopicPartition, TransportError,
    },
};

/// Whether a transaction is open, or, where none is ever used, whether something waits to be flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everything sent is committed, or flushed.
    Idle,
    /// Something was sent.
    Open,
    /// The log is about to commit.
    Committing,
    /// The same, and something was sent for the next commit.
    Ahead,
    /// The log did not say whether it committed or aborted: only a new producer can settle that.
    Unknown,
}

/// The transaction, and what waits for the next.
pub(crate) struct Transaction {
    guarantee: ProcessingGuarantee,
    state: State,
    /// The commit on its way.
    pending: Option<Box<dyn PendingCommit>>,
    held: Vec<ProducerRecord>,
    held_bytes: usize,
    /// What to commit once everything sent is flushed, where no transaction does both.
    offsets: Vec<(TopicPartition, CommittedOffset)>,
}

impl Transaction {
    pub(crate) fn new(guarantee: ProcessingGuarantee) -> Self {
        Self { guarantee, state: State::Idle, pending: None, held: Vec::new(), held_bytes: 0, offsets: Vec::new() }
    }

    pub(crate) fn send(&mut self, producer: &mut dyn Producer, record: ProducerRecord) -> Result<(), TransportError> {
        if self.state == State::Committing {
            if self.held.is_empty() && !producer.may_end_again() && self.takes_more() {
                self.open(producer, State::Ahead)?;
                return producer.send(record);
            }
            self.held_bytes += record.size();
            self.held.push(record);
            return Ok(());
        }
        self.begin(producer)?;
        producer.send(record)
    }

    /// Whether the log takes more beside the commit that is on its way.
    fn takes_more(&mut self) -> bool {
        self.pending.as_mut().is_some_and(|pending| pending.may_send_ahead())
    }

    fn begin(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        if self.state == State::Idle { self.open(producer, State::Open) } else { Ok(()) }
    }

    fn open(&mut self, producer: &mut dyn Producer, state: State) -> Result<(), TransportError> {
        if self.guarantee == ProcessingGuarantee::ExactlyOnce {
            producer.begin_transaction()?;
        }
        self.state = state;
        Ok(())
    }

    /// Whether something was sent that a commit must bring out, beside what is being committed.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state, State::Open | State::Ahead) || !self.held.is_empty()
    }

    pub(crate) fn is_committing(&self) -> bool {
        matches!(self.state, State::Committing | State::Ahead)
    }

    /// Whether only a new producer may go on: nobody knows how the last transaction ended, or its end may come again
    /// and end the next one. One that is open, begun before that was known, has another end and goes on.
    pub(crate) fn needs_new_producer(&self, producer: &mut dyn Producer) -> bool {
        match self.state {
            State::Unknown => true,
            State::Idle => producer.may_end_again(),
            State::Open | State::Committing | State::Ahead => false,
        }
    }

    /// A new producer has taken over, and fenced the old one: nothing is open.
    pub(crate) fn begin_anew(&mut self) {
        self.state = State::Idle;
    }

    /// Memory that records hold which wait for the commit.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Has everything sent so far reach the log before what it changed, where no transaction holds both together: a
    /// change that arrived without its output, such as that a window is closed, would have it never made. It is waited
    /// for here and now. Changes that left later than what they are about was done would more often be those of an
    /// instance that was replaced meanwhile.
    pub(crate) fn await_outputs(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        match self.guarantee {
            ProcessingGuarantee::AtLeastOnce => producer.flush().map(drop),
            ProcessingGuarantee::ExactlyOnce => Ok(()),
        }
    }

    /// Begins to commit what was sent, and the offsets it was made from.
    pub(crate) fn begin_commit(
        &mut self,
        producer: &mut dyn Producer,
        consumer: &mut dyn Consumer,
        offsets: &[(TopicPartition, CommittedOffset)],
    ) -> Result<(), TransportError> {
        self.begin(producer)?;
        match self.guarantee {
            ProcessingGuarantee::AtLeastOnce => {
                self.pending = Some(producer.begin_flush()?);
                self.offsets = offsets.to_vec();
            }
            ProcessingGuarantee::ExactlyOnce => {
                let member = &consumer.group_metadata();
                let begun = producer.begin_commit(Some(Consumed { offsets, member }));
                self.pending = Some(self.answered(begun)?);
            }
        }
        self.state = State::Committing;
        Ok(())
    }

    /// Waits up to `timeout` for the commit. Once it is done: where each written partition now ends.
    pub(crate) fn poll_commit(
        &mut self,
        consumer: &mut dyn Consumer,
        timeout: Duration,
    ) -> Result<Option<Acknowledged>, TransportError> {
        let Some(pending) = self.pending.take() else { return Ok(None) };
        let acknowledged = match pending.poll(timeout) {
            Ok(Progress::Pending(pending)) => {
                self.pending = Some(pending);
                return Ok(None);
            }
            Ok(Progress::Done(acknowledged)) if self.guarantee == ProcessingGuarantee::AtLeastOnce => {
                consumer.commit(&self.offsets).map(|()| acknowledged)
            }
            Ok(Progress::Done(acknowledged)) => Ok(acknowledged),
            Err(error) => Err(error),
        };
        let acknowledged = self.answered(acknowledged)?;
        self.state = if self.state == State::Ahead { State::Open } else { State::Idle };
        Ok(Some(acknowledged))
    }

    /// Commits no offsets of these any more: they belong to another member, or to another life of this one, which began
    /// at what is committed. What a transaction holds is refused by the generation that it was begun with; a flush names
    /// its member only when it is done.
    pub(crate) fn lose(&mut self, partitions: &[TopicPartition]) {
        self.offsets.retain(|(partition, _)| !partitions.contains(partition));
    }

    /// A refusal or a newer producer is an answer to a commit; any other error is none. Without a transaction there is
    /// nothing to find out: what may or may not be there is done again.
    fn answered<T>(&mut self, answer: Result<T, TransportError>) -> Result<T, TransportError> {
        answer.inspect_err(|error| {
            let refused = matches!(error, TransportError::Abort(_) | TransportError::Fenced(_));
            let settled = refused || self.guarantee == ProcessingGuarantee::AtLeastOnce;
            self.state = if settled { State::Open } else { State::Unknown };
        })
    }

    /// Sends what waited for the commit, if it need not wait any longer.
    pub(crate) fn send_held(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        if self.held.is_empty() || (self.state == State::Committing && !self.takes_more()) {
            return Ok(());
        }
        self.held_bytes = 0;
        std::mem::take(&mut self.held).into_iter().try_for_each(|record| self.send(producer, record))
    }

    /// Drops what was sent. Without a transaction some of it may be in the log; the rest must not come after what is
    /// restored, or after the records of a next owner.
    pub(crate) fn abort(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        self.held.clear();
        self.held_bytes = 0;
        self.pending = None;
        match (self.state, self.guarantee) {
            (State::Idle | State::Unknown, _) => return Ok(()),
            (_, ProcessingGuarantee::ExactlyOnce) => {
                // Until the log has answered, the abort may still come, and end a later transaction.
                self.state = State::Unknown;
                producer.abort_transaction()?;
            }
            (_, ProcessingGuarantee::AtLeastOnce) => producer.discard(),
        }
        self.state = State::Idle;
        Ok(())
    }
}
