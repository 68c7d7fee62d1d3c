//! One transaction a thread: opened with the first record sent, closed by a commit or an abort. While one is being
//! committed, what is sent belongs to the next, and waits until the log takes that.

use std::{collections::BTreeMap, time::Duration};

use super::commit::{Commit, Committed, Found};
use crate::{
    config::ProcessingGuarantee,
    plan::TaskId,
    task::TaskCommit,
    transport::{CommittedOffset, Consumed, Consumer, Producer, ProducerRecord, TopicPartition, TransportError},
};

/// Whether a transaction is open for what is sent, or, where none is ever used, whether something waits to be flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everything sent is committed, or flushed, or about to be.
    Idle,
    /// Something was sent that no commit holds, or that was given back by one that the log refused.
    Open,
    /// The log did not say whether it committed or aborted: only a new producer can settle that.
    Unknown,
}

/// The transaction, the commit on its way, and what waits for that.
pub(crate) struct Transaction {
    guarantee: ProcessingGuarantee,
    state: State,
    commit: Option<Commit>,
    held: Vec<ProducerRecord>,
    held_bytes: usize,
}

impl Transaction {
    pub(crate) fn new(guarantee: ProcessingGuarantee) -> Self {
        Self { guarantee, state: State::Idle, commit: None, held: Vec::new(), held_bytes: 0 }
    }

    pub(crate) fn send(&mut self, producer: &mut dyn Producer, record: ProducerRecord) -> Result<(), TransportError> {
        if let (State::Idle, Some(commit)) = (self.state, &mut self.commit) {
            let goes_ahead = self.held.is_empty() && !producer.may_end_again() && commit.may_send_ahead();
            if !goes_ahead {
                self.held_bytes += record.size();
                self.held.push(record);
                return Ok(());
            }
        }
        self.begin(producer)?;
        producer.send(record)
    }

    fn begin(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        if self.state == State::Idle {
            if self.guarantee == ProcessingGuarantee::ExactlyOnce {
                producer.begin_transaction()?;
            }
            self.state = State::Open;
        }
        Ok(())
    }

    /// Whether something was sent that a commit must bring out, beside what is being committed.
    pub(crate) fn is_pending(&self) -> bool {
        self.state == State::Open || !self.held.is_empty()
    }

    pub(crate) fn is_committing(&self) -> bool {
        self.commit.is_some()
    }

    /// Whether only a new producer may go on: nobody knows how the last transaction ended, or its end may come again
    /// and end the next one. One that is open, begun before that was known, has another end and goes on.
    pub(crate) fn needs_new_producer(&self, producer: &mut dyn Producer) -> bool {
        match self.state {
            State::Unknown => true,
            State::Idle => self.commit.is_none() && producer.may_end_again(),
            State::Open => false,
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

    /// Begins to commit what was sent, and the offsets it was made from. Tasks are sealed once that is begun.
    pub(crate) fn begin_commit(
        &mut self,
        producer: &mut dyn Producer,
        consumer: &mut dyn Consumer,
        offsets: Vec<(TopicPartition, CommittedOffset)>,
        seal: impl FnOnce() -> BTreeMap<TaskId, TaskCommit>,
    ) -> Result<(), TransportError> {
        self.begin(producer)?;
        let begun = match self.guarantee {
            ProcessingGuarantee::AtLeastOnce => producer.begin_flush().map(|pending| (pending, Some(offsets))),
            ProcessingGuarantee::ExactlyOnce => {
                let consumed = Consumed { offsets: &offsets, member: &consumer.group_metadata() };
                producer.begin_commit(Some(consumed)).map(|pending| (pending, None))
            }
        };
        let (pending, offsets) = self.answered(begun)?;
        self.state = State::Idle;
        self.commit = Some(Commit { pending, offsets, tasks: seal() });
        Ok(())
    }

    /// Waits up to `timeout` for the commit on its way, and gives it once the log has answered.
    pub(crate) fn poll_commit(
        &mut self,
        consumer: &mut dyn Consumer,
        timeout: Duration,
    ) -> Result<Option<Committed>, TransportError> {
        let Some(commit) = self.commit.take() else { return Ok(None) };
        let polled = commit.poll(consumer, timeout);
        match self.answered(polled)? {
            Found::OnItsWay(commit) => {
                self.commit = Some(commit);
                Ok(None)
            }
            Found::Committed(committed) => Ok(Some(committed)),
        }
    }

    /// Commits no offsets of these any more.
    pub(crate) fn lose(&mut self, partitions: &[TopicPartition]) {
        if let Some(commit) = &mut self.commit {
            commit.lose(partitions);
        }
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
        if self.held.is_empty() || self.must_wait() {
            return Ok(());
        }
        self.held_bytes = 0;
        std::mem::take(&mut self.held).into_iter().try_for_each(|record| self.send(producer, record))
    }

    /// Whether the log takes nothing yet that comes after the commit on its way.
    fn must_wait(&mut self) -> bool {
        match &mut self.commit {
            Some(commit) => self.state == State::Idle && !commit.may_send_ahead(),
            None => false,
        }
    }

    /// Drops what was sent. Without a transaction some of it may be in the log; the rest must not come after what is
    /// restored, or after the records of a next owner.
    pub(crate) fn abort(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        self.held.clear();
        self.held_bytes = 0;
        let gives_up = self.commit.take().is_some();
        match (self.state, self.guarantee) {
            (State::Unknown, _) => return Ok(()),
            (State::Idle, _) if !gives_up => return Ok(()),
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
