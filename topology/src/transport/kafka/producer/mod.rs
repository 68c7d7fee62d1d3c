//! Sends records, in transactions or without.

mod line;

use std::sync::{Arc, PoisonError};

use rdkafka::producer::{Producer as _, PurgeConfig};

use self::line::Line;
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
}

impl KafkaProducer {
    pub(super) fn open(shared: Arc<Shared>, config: &ProducerConfig) -> Result<Self, TransportError> {
        let lines = match &config.transactional_id {
            Some(id) => ["a", "b"].iter().map(|turn| Line::open(&shared, Some(&format!("{id}-{turn}")))).collect(),
            None => Line::open(&shared, None).map(|line| vec![line]),
        };
        Ok(Self { shared, lines: lines?, turn: 0 })
    }

    fn line(&mut self) -> &mut Line {
        &mut self.lines[self.turn]
    }
}

impl Producer for KafkaProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        self.lines.iter().try_for_each(Line::init)
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        self.line().forgive();
        self.line().client().begin_transaction().map_err(error::of)
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.line().send(record)
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &GroupMetadata,
    ) -> Result<(), TransportError> {
        let membership = {
            let memberships = self.shared.memberships.lock().unwrap_or_else(PoisonError::into_inner);
            memberships.get(&group.member).map(Arc::clone)
        };
        let Some(membership) = membership else {
            return Err(TransportError::Fenced(format!("'{}' is no member of group '{}'", group.member, group.group)));
        };
        let list = offsets::commits(offsets)?;
        // On their way while the brokers are told of the offsets.
        self.line().hurry();
        self.line().client().send_offsets_to_transaction(&list, &membership, ANSWER).map_err(error::of)
    }

    fn commit_transaction(&mut self) -> Result<(), TransportError> {
        // What failed makes librdkafka refuse the commit, and say how.
        self.line().settle(ANSWER);
        self.line().client().commit_transaction(ANSWER).map_err(error::of)?;
        self.turn = (self.turn + 1) % self.lines.len();
        Ok(())
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        self.line().clear();
        self.line().client().abort_transaction(ANSWER).map_err(error::of)?;
        // What arrived while it was aborted.
        self.line().take_ends().for_each(drop);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        let settled = self.line().settle(ANSWER);
        match self.line().take_failure() {
            Some(failed) => Err(failed),
            None if settled => Ok(()),
            None => Err(TransportError::Retriable("the brokers did not take all records in time".to_owned())),
        }
    }

    fn discard(&mut self) {
        self.line().client().purge(PurgeConfig::default().queue());
        self.line().clear();
    }

    fn take_acknowledged(&mut self) -> Vec<(TopicPartition, Offset)> {
        // The line whose turn is over has the newest.
        let (newer, older) = self.lines.split_at(self.turn);
        older.iter().chain(newer).flat_map(Line::take_ends).collect()
    }
}
