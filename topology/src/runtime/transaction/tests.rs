//! In which order things reach a log that does not hold them together.

use std::time::Duration;

use super::Transaction;
use crate::{
    config::ProcessingGuarantee,
    task::CommitWork,
    transport::{
        CommittedOffset, ConsumerConfig, GroupMetadata, Headers, Offset, Producer, ProducerRecord, TopicPartition,
        Transport as _, TransportError, embedded::EmbeddedLog,
    },
};

/// Notes what it is asked.
#[derive(Default)]
struct Noting {
    notes: Vec<String>,
    is_away: bool,
}

impl Producer for Noting {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.notes.push(record.topic.to_string());
        Ok(())
    }

    fn send_offsets(
        &mut self,
        _offsets: &[(TopicPartition, CommittedOffset)],
        _group: &GroupMetadata,
    ) -> Result<(), TransportError> {
        Ok(())
    }

    fn commit_transaction(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        self.notes.push("flush".to_owned());
        if self.is_away { Err(TransportError::Retriable("no leader".to_owned())) } else { Ok(()) }
    }

    fn discard(&mut self) {
        self.notes.push("discard".to_owned());
    }

    fn take_acknowledged(&mut self) -> Vec<(TopicPartition, Offset)> {
        Vec::new()
    }
}

fn record(topic: &str) -> ProducerRecord {
    let (key, value, headers) = (None, None, Headers::new());
    ProducerRecord { topic: topic.into(), partition: 0, timestamp: 0, key, value, headers }
}

fn commit(producer: &mut Noting) -> Result<bool, TransportError> {
    let config = ConsumerConfig {
        group: "app".to_owned(),
        client_id: "a".to_owned(),
        instance_id: None,
        session_timeout: Duration::from_secs(45),
        max_poll_records: 1,
    };
    let mut consumer = EmbeddedLog::in_memory().consumer(&config)?;
    let mut transaction = Transaction::new(ProcessingGuarantee::AtLeastOnce);
    transaction.send(producer, record("out"))?;
    let work = CommitWork { offsets: Vec::new(), changelog: vec![record("changelog")] };
    transaction.begin_commit(producer, &mut *consumer, work)?;
    Ok(transaction.poll_commit(producer, &mut *consumer, Duration::ZERO)?.is_some())
}

#[test]
fn without_transactions_changes_come_once_the_outputs_are_in_the_log() {
    let mut producer = Noting::default();
    assert_eq!(commit(&mut producer).ok(), Some(true));
    assert_eq!(producer.notes, ["out", "flush", "changelog", "flush"]);
}

#[test]
fn without_transactions_no_change_comes_of_an_output_that_does_not() {
    let mut producer = Noting { is_away: true, ..Noting::default() };
    assert!(commit(&mut producer).is_err());
    assert_eq!(producer.notes, ["out", "flush"]);
}
