//! Sends records, in transactions or without.

mod commit;
mod line;
mod sending;

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    consumer::ConsumerGroupMetadata,
    producer::{Producer as _, PurgeConfig},
};

use self::{
    commit::{Commit, Committer},
    line::Line,
};
use super::{
    Shared, error,
    offsets::{self, ANSWER},
};
use crate::transport::{
    CommittedOffset, GroupMetadata, Offset, Producer, ProducerConfig, ProducerRecord, TopicPartition, TransportError,
};

/// A producer. Transactions take turns on two of librdkafka's: until the brokers have written the markers of one
/// transaction they refuse partitions of the next with the same id, and librdkafka asks again only after 20 ms.
/// The order of transactions is kept, for the next one is committed after the last.
pub(super) struct KafkaProducer {
    shared: Arc<Shared>,
    lines: Vec<Line>,
    turn: usize,
    stage: Stage,
    /// Once it is needed.
    committer: Option<Committer>,
    /// What the last commit or flush brought.
    brought: Option<Vec<(TopicPartition, Offset)>>,
}

/// Where a producer is between two commits.
enum Stage {
    /// What is sent goes to the line whose turn it is.
    Sending,
    /// That line commits, and its successor's turn began: `ahead` once a transaction was begun there.
    Committing { ahead: bool },
    /// A part of what was sent is being flushed.
    Flushing { part: usize, since: Instant },
}

impl KafkaProducer {
    pub(super) fn open(shared: Arc<Shared>, config: &ProducerConfig) -> Result<Self, TransportError> {
        let lines = match &config.transactional_id {
            Some(id) => ["a", "b"].iter().map(|turn| Line::open(&shared, Some(&format!("{id}-{turn}")))).collect(),
            None => Line::open(&shared, None).map(|line| vec![line]),
        };
        Ok(Self { shared, lines: lines?, turn: 0, stage: Stage::Sending, committer: None, brought: None })
    }

    /// The line that takes what is sent.
    fn line(&mut self) -> &mut Line {
        let turn = if self.is_committing() { self.next() } else { self.turn };
        &mut self.lines[turn]
    }

    fn is_committing(&self) -> bool {
        matches!(self.stage, Stage::Committing { .. })
    }

    fn next(&self) -> usize {
        (self.turn + 1) % self.lines.len()
    }

    fn membership(&self, group: &GroupMetadata) -> Result<Arc<ConsumerGroupMetadata>, TransportError> {
        let memberships = self.shared.memberships.lock().unwrap_or_else(PoisonError::into_inner);
        let membership = memberships.get(&group.member).map(Arc::clone);
        membership.ok_or_else(|| {
            TransportError::Fenced(format!("'{}' is no member of group '{}'", group.member, group.group))
        })
    }
}

impl Producer for KafkaProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        self.lines.iter().try_for_each(Line::init)
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        self.line().forgive();
        self.line().client().begin_transaction().map_err(error::of)?;
        if let Stage::Committing { ahead } = &mut self.stage {
            *ahead = true;
        }
        Ok(())
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.line().send(record)
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &GroupMetadata,
    ) -> Result<(), TransportError> {
        let membership = self.membership(group)?;
        let list = offsets::commits(offsets)?;
        self.line().sending().send_offsets(&list, &membership)
    }

    fn commit_transaction(&mut self) -> Result<(), TransportError> {
        self.line().sending().commit()?;
        self.turn = self.next();
        Ok(())
    }

    fn begin_commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &GroupMetadata,
    ) -> Result<(), TransportError> {
        let membership = self.membership(group)?;
        let sending = Arc::clone(self.line().sending());
        let commit = Commit { sending, offsets: offsets::commits(offsets)?, membership };
        let committer = match self.committer.take() {
            Some(committer) => committer,
            None => Committer::start()?,
        };
        self.committer.insert(committer).begin(commit)?;
        self.stage = Stage::Committing { ahead: false };
        Ok(())
    }

    fn poll_commit(&mut self, timeout: Duration) -> Result<bool, TransportError> {
        let answer = self.committer.as_ref().and_then(|committer| committer.answer(timeout));
        let Some(answer) = answer else { return Ok(false) };
        // After an error it stays what it is, for the abort that follows.
        answer?;
        self.brought = Some(self.lines[self.turn].take_ends().collect());
        self.turn = self.next();
        self.stage = Stage::Sending;
        Ok(true)
    }

    fn may_send_ahead(&mut self) -> bool {
        match self.stage {
            Stage::Sending => false,
            // Not beside records of the one that commits: those of the next might overtake them.
            Stage::Committing { .. } => self.lines[self.turn].has_landed(),
            Stage::Flushing { .. } => true,
        }
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        self.lines[self.turn].abort()?;
        // From here on, whoever tries again has the other one to abort, for this one is.
        let stage = std::mem::replace(&mut self.stage, Stage::Sending);
        if matches!(stage, Stage::Committing { ahead: true }) {
            self.turn = self.next();
            self.lines[self.turn].abort()?;
        }
        Ok(())
    }

    fn may_end_again(&mut self) -> bool {
        self.lines.iter().any(|line| line.sending().may_end_again())
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        let settled = self.line().sending().settle_all(ANSWER);
        match self.line().take_failure() {
            Some(failed) => Err(failed),
            None if settled => Ok(()),
            None => Err(too_late()),
        }
    }

    fn begin_flush(&mut self) -> Result<(), TransportError> {
        let part = self.line().end_part();
        self.line().sending().hurry();
        self.stage = Stage::Flushing { part, since: Instant::now() };
        Ok(())
    }

    fn poll_flush(&mut self, timeout: Duration) -> Result<bool, TransportError> {
        let Stage::Flushing { part, since } = self.stage else { return Ok(true) };
        let ends = self.line().ends_of(part, timeout);
        if let Some(failed) = self.line().take_failure() {
            return Err(failed);
        }
        match ends {
            Some(ends) => {
                self.brought = Some(ends);
                self.stage = Stage::Sending;
                Ok(true)
            }
            None if since.elapsed() > ANSWER => Err(too_late()),
            None => Ok(false),
        }
    }

    fn discard(&mut self) {
        (self.brought, self.stage) = (None, Stage::Sending);
        self.line().client().purge(PurgeConfig::default().queue());
        self.line().clear();
    }

    fn take_acknowledged(&mut self) -> Vec<(TopicPartition, Offset)> {
        if let Some(brought) = self.brought.take() {
            return brought;
        }
        // The line whose turn is over has the newest.
        let (newer, older) = self.lines.split_at(self.turn);
        older.iter().chain(newer).flat_map(Line::take_ends).collect()
    }
}

fn too_late() -> TransportError {
    TransportError::Retriable("the brokers did not take all records in time".to_owned())
}
