//! Sends records, with or without transactions.

mod commit;
mod failures;
mod flush;
mod line;
mod sending;
mod written;

use std::sync::{Arc, PoisonError};

use rdkafka::consumer::ConsumerGroupMetadata;

use self::{
    commit::{Committer, KafkaCommit, Work},
    line::Line,
};
use super::{
    TransportState,
    offsets::{self, ANSWER},
};
use crate::transport::{
    Acknowledged, Consumed, GroupMetadata, PendingCommit, Producer, ProducerConfig, ProducerRecord, TransportError,
};

/// A producer. Transactions alternate between two librdkafka producers. Until the brokers have written the markers of a
/// transaction, they refuse the partitions to the next transaction with the same id, and librdkafka retries only after
/// 20 ms. The order of transactions is kept, because each one is committed after the one before.
pub(super) struct KafkaProducer {
    shared: Arc<TransportState>,
    lines: Vec<Line>,
    /// The index of the line that sends records. It changes when a commit begins.
    turn: usize,
    /// The commit thread. It starts with the first commit.
    committer: Option<Committer>,
}

impl KafkaProducer {
    pub(super) fn open(shared: Arc<TransportState>, config: &ProducerConfig) -> Result<Self, TransportError> {
        let lines = match &config.transactional_id {
            Some(id) => ["a", "b"].iter().map(|turn| Line::open(&shared, Some(&format!("{id}-{turn}")))).collect(),
            None => Line::open(&shared, None).map(|line| vec![line]),
        };
        Ok(Self { shared, lines: lines?, turn: 0, committer: None })
    }

    fn line(&mut self) -> &mut Line {
        &mut self.lines[self.turn]
    }

    fn next(&self) -> usize {
        (self.turn + 1) % self.lines.len()
    }

    fn membership(&self, member: &GroupMetadata) -> Result<Arc<ConsumerGroupMetadata>, TransportError> {
        let memberships = self.shared.memberships.lock().unwrap_or_else(PoisonError::into_inner);
        let membership = memberships.get(&member.member).map(Arc::clone);
        membership.ok_or_else(|| {
            TransportError::Fenced(format!("'{}' is not a member of group '{}'", member.member, member.group).into())
        })
    }
}

impl Producer for KafkaProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        self.lines.iter().try_for_each(Line::init)
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        self.line().sending().begin()
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.line().send(record)
    }

    fn send_offsets(&mut self, Consumed { offsets, member }: Consumed<'_>) -> Result<(), TransportError> {
        let membership = self.membership(member)?;
        let list = offsets::commits(offsets)?;
        self.line().sending().send_offsets(&list, &membership)
    }

    fn begin_commit(&mut self, consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError> {
        let named = |Consumed { offsets, member }: Consumed<'_>| {
            let membership = self.membership(member)?;
            Ok((offsets::commits(offsets)?, membership))
        };
        let offsets = consumed.map(named).transpose()?;
        let written = self.line().written().clone();
        if !written.sending.is_open() {
            return Err(TransportError::Invalid("no transaction is open: begin one first".into()));
        }
        let committer = match self.committer.take() {
            Some(committer) => committer,
            None => Committer::start()?,
        };
        let work = Work { sending: Arc::clone(&written.sending), offsets };
        let answer = self.committer.insert(committer).begin(work)?;
        self.turn = self.next();
        Ok(Box::new(KafkaCommit { answer, written }))
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        // The transaction that was being committed is aborted before the transaction that was begun ahead.
        let mut open = vec![self.next(), self.turn];
        open.retain(|line| self.lines[*line].sending().is_open());
        if open.is_empty() {
            // No transaction is open, so librdkafka returns the error.
            open.push(self.turn);
        }
        open.into_iter().try_for_each(|line| self.lines[line].abort())
    }

    fn may_end_again(&mut self) -> bool {
        self.lines.iter().any(|line| line.sending().may_end_again())
    }

    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError> {
        Ok(Box::new(self.line().end_part()))
    }

    /// Waits for all parts, because a failed flush may have left records.
    fn flush(&mut self) -> Result<Acknowledged, TransportError> {
        let written = self.line().written();
        let settled = written.sending.settle_all(ANSWER);
        match written.sending.take_failure() {
            Some(failed) => Err(failed),
            None if settled => Ok(written.take_ends()),
            None => Err(flush::too_late()),
        }
    }

    fn discard(&mut self) {
        self.line().discard();
    }
}
