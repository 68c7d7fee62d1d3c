//! One transaction per thread: the first record sent opens it, a commit or an abort closes it. Records sent during a
//! commit belong to the next transaction, and wait until the log accepts them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::commit::{Commit, Committed, Found};
use crate::{
    config::ProcessingGuarantee,
    plan::TaskId,
    task::TaskCommit,
    transport::{CommittedOffset, Consumed, Consumer, Producer, ProducerRecord, TopicPartition, TransportError},
};

/// The state of the open transaction. With at-least-once, the state of the records that wait to be flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TransactionState {
    /// All records sent are committed or flushed, or part of the commit on its way.
    Idle,
    /// Some records belong to no commit yet, or to a commit that the log refused.
    Open,
    /// It is unknown whether the log committed or aborted. Only a new producer can resolve this.
    Unknown,
}

/// The transaction, the commit on its way, and the records that wait for this commit.
pub(crate) struct Transaction {
    guarantee: ProcessingGuarantee,
    state: TransactionState,
    commit: Option<Commit>,
    held: Vec<ProducerRecord>,
    held_bytes: usize,
}

impl Transaction {
    pub(crate) fn new(guarantee: ProcessingGuarantee) -> Self {
        Self { guarantee, state: TransactionState::Idle, commit: None, held: Vec::new(), held_bytes: 0 }
    }

    pub(crate) fn send(&mut self, producer: &mut dyn Producer, record: ProducerRecord) -> Result<(), TransportError> {
        if let (TransactionState::Idle, Some(commit)) = (self.state, &mut self.commit) {
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
        if self.state == TransactionState::Idle {
            if self.guarantee == ProcessingGuarantee::ExactlyOnce {
                producer.begin_transaction()?;
            }
            self.state = TransactionState::Open;
        }
        Ok(())
    }

    /// Whether records wait for a commit after the one on its way.
    pub(crate) fn is_pending(&self) -> bool {
        self.state == TransactionState::Open || !self.held.is_empty()
    }

    pub(crate) fn is_committing(&self) -> bool {
        self.commit.is_some()
    }

    /// Whether a new producer must take over. It must if the end of the last transaction is unknown, or if the request
    /// that ended it may be repeated and end the next transaction. An open transaction that began before that was known
    /// has a different end and continues.
    pub(crate) fn needs_new_producer(&self, producer: &mut dyn Producer) -> bool {
        match self.state {
            TransactionState::Unknown => true,
            TransactionState::Idle => self.commit.is_none() && producer.may_end_again(),
            TransactionState::Open => false,
        }
    }

    /// A new producer has fenced the old one, so no transaction is open.
    pub(crate) fn begin_anew(&mut self) {
        self.state = TransactionState::Idle;
    }

    /// The bytes of the records that wait for the commit.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Without transactions, waits until all outputs sent so far are in the log, before their changelog records are
    /// sent. If a change arrived without its output, for example the change that closes a window, the output would be
    /// lost. The thread waits here, because late changelog records would more often come from an instance that was
    /// already replaced.
    pub(crate) fn await_outputs(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        match self.guarantee {
            ProcessingGuarantee::AtLeastOnce => producer.flush().map(drop),
            ProcessingGuarantee::ExactlyOnce => Ok(()),
        }
    }

    /// Begins to commit the records sent and the input offsets. Then seals the tasks.
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
        self.state = TransactionState::Idle;
        self.commit = Some(Commit { pending, offsets, tasks: seal() });
        Ok(())
    }

    /// Waits up to `timeout` for the commit on its way. Returns the commit once the log has confirmed it.
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

    /// Removes lost partitions and their tasks from the commit on its way.
    pub(crate) fn lose(&mut self, partitions: &[TopicPartition], tasks: &BTreeSet<TaskId>) {
        if let Some(commit) = &mut self.commit {
            commit.lose(partitions, tasks);
        }
    }

    /// Notes the state after an error. A refusal or a newer producer is a final answer to a commit. After any other
    /// error, the result is unknown. Without transactions the result does not matter: the work is repeated.
    fn answered<T>(&mut self, answer: Result<T, TransportError>) -> Result<T, TransportError> {
        answer.inspect_err(|error| {
            let refused = matches!(error, TransportError::Abort(_) | TransportError::Fenced(_));
            let settled = refused || self.guarantee == ProcessingGuarantee::AtLeastOnce;
            self.state = if settled { TransactionState::Open } else { TransactionState::Unknown };
        })
    }

    /// Sends the records that waited for the commit, if the log accepts them.
    pub(crate) fn send_held(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        if self.held.is_empty() || self.must_wait() {
            return Ok(());
        }
        self.held_bytes = 0;
        std::mem::take(&mut self.held).into_iter().try_for_each(|record| self.send(producer, record))
    }

    /// Whether the log does not accept records yet that come after the commit on its way.
    fn must_wait(&mut self) -> bool {
        match &mut self.commit {
            Some(commit) => self.state == TransactionState::Idle && !commit.may_send_ahead(),
            None => false,
        }
    }

    /// Drops the records sent. Without transactions, some may be in the log already. The others must not reach the log
    /// after restored state or after the next owner's records.
    pub(crate) fn abort(&mut self, producer: &mut dyn Producer) -> Result<(), TransportError> {
        self.held.clear();
        self.held_bytes = 0;
        let gives_up = self.commit.take().is_some();
        match (self.state, self.guarantee) {
            (TransactionState::Unknown, _) => return Ok(()),
            (TransactionState::Idle, _) if !gives_up => return Ok(()),
            (_, ProcessingGuarantee::ExactlyOnce) => {
                // Until the log answers, the abort may still arrive late and end a later transaction.
                self.state = TransactionState::Unknown;
                producer.abort_transaction()?;
            }
            (_, ProcessingGuarantee::AtLeastOnce) => producer.discard(),
        }
        self.state = TransactionState::Idle;
        Ok(())
    }
}
