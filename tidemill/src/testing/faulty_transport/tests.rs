//! Tests that the faulty consumer reports its own state correctly.

use std::time::Duration;

use super::{FaultRates, FaultyTransport, Process};
use crate::{
    clock::ManualClock,
    testing::faults::Fate,
    transport::{
        Consumer, ConsumerConfig, Polled, Rebalance, TopicPartition, Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

const SESSION: Duration = Duration::from_millis(500);

/// A partition with two records. The second record belongs to a transaction whose marker is still missing.
struct Unmarked {
    clock: ManualClock,
    log: EmbeddedLog,
    partition: TopicPartition,
}

impl Unmarked {
    /// Whether the consumer has read all visible records.
    fn read() -> (Self, Box<dyn Consumer>) {
        let clock = ManualClock::new(0);
        let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
        log.create("in", 1).expect("the log is empty");
        log.append("in", 0, [Entry::new("k", "1", 0), Entry::new("k", "2", 0)]).expect("appends");
        let (fate, partition) = (Fate::new(1, FaultRates::NONE, clock.clone()), TopicPartition::new("in", 0));
        fate.markers.delay("producer", partition.clone(), 1, 60_000);
        let transport = FaultyTransport { log: log.clone(), process: Process::new("a", fate) };
        let mut consumer = transport.consumer(&config("a")).expect("opens");
        consumer.subscribe(&["in".into()]).expect("joins");
        assert_eq!(poll(&mut *consumer).rebalances, [Rebalance::Assigned(vec![partition.clone()])]);
        assert!(!consumer.is_caught_up(&partition));
        assert_eq!(poll(&mut *consumer).batches[0].records.len(), 1);
        assert!(consumer.is_caught_up(&partition));
        (Self { clock, log, partition }, consumer)
    }
}

fn config(client_id: &str) -> ConsumerConfig {
    let (group, client_id, instance_id) = ("group".to_owned(), client_id.to_owned(), None);
    ConsumerConfig { group, client_id, instance_id, session_timeout: SESSION, max_poll_records: 10 }
}

fn poll(consumer: &mut dyn Consumer) -> Polled {
    consumer.poll(Duration::ZERO).expect("polls")
}

#[test]
fn whoever_goes_back_is_not_caught_up() {
    let (world, mut consumer) = Unmarked::read();
    consumer.seek(&world.partition, 0).expect("it is owned");
    assert!(!consumer.is_caught_up(&world.partition));
}

#[test]
fn whoever_loses_a_partition_and_gets_it_again_is_not_caught_up() {
    let (world, mut consumer) = Unmarked::read();
    world.clock.advance(SESSION);
    let mut other = world.log.consumer(&config("b")).expect("opens");
    other.subscribe(&["in".into()]).expect("joins");
    poll(&mut *other);
    drop(other);
    let (lost, assigned) = (vec![world.partition.clone()], vec![world.partition.clone()]);
    assert_eq!(poll(&mut *consumer).rebalances, [Rebalance::Lost(lost), Rebalance::Assigned(assigned)]);
    assert!(!consumer.is_caught_up(&world.partition));
}
