//! Assigned partitions: no record is skipped, and no task begins too early.

use std::{sync::Arc, time::Duration};

use tidemill_state::{Codec as _, Coded};

use super::{
    StreamThread, World,
    odd_log::{OddLog, Oddities},
};
use crate::{
    EmitStrategy, StreamsBuilder, StreamsConfig, TimeWindows,
    testing::{
        FaultRates,
        faults::{Fate, Process},
        faulty_transport::FaultyTransport,
    },
    transport::{ConsumerConfig, Rebalance, TopicPartition, Transport as _, embedded::Entry},
};

fn counting() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
    builder
}

fn config() -> StreamsConfig {
    StreamsConfig { session_timeout: Duration::MAX, ..StreamsConfig::new("app") }
}

fn turn(thread: &mut StreamThread) {
    for _ in 0..10 {
        thread.step(Duration::ZERO).expect("turns");
    }
    thread.commit_now().expect("commits");
}

/// A thread counted three records and ended. Two more records wait for the next thread.
fn left_by_another() -> World {
    let world = World::new(1);
    world.append(0, 3);
    turn(&mut world.thread(&counting(), config()));
    world.append(0, 2);
    world
}

fn counts(world: &World) -> Vec<i64> {
    let results = world.log.read_all("out").expect("reads").into_iter();
    results.map(|(_, record)| <i64 as Coded>::Codec::default().decode_opt(record.value).expect("decodes")).collect()
}

#[test]
fn records_that_come_with_their_partition_wait_until_its_stores_are_restored() {
    let (world, oddities) = (left_by_another(), Oddities::default());
    oddities.set(|odd| odd.brings_both = true);
    let log = OddLog { log: world.log.clone(), oddities };
    turn(&mut world.thread_on(Arc::new(log), &counting(), config()));
    assert_eq!(counts(&world), [1, 2, 3, 4, 5]);
}

#[test]
fn changelog_records_whose_read_was_lost_are_read_again_though_that_is_refused_at_first() {
    let (world, oddities) = (left_by_another(), Oddities::default());
    let log = OddLog { log: world.log.clone(), oddities: oddities.clone() };
    let mut thread = world.thread_on(Arc::new(log), &counting(), config());
    oddities.set(|odd| odd.loses_read = true);
    turn(&mut thread);
    assert!(!oddities.set(|odd| odd.loses_read), "it was lost");
    assert_eq!(counts(&world), [1, 2, 3, 4, 5]);
}

#[test]
fn a_task_begins_once_all_of_its_inputs_are_there() {
    let (world, oddities) = (World::new(1), Oddities::default());
    world.log.create("other", 1).expect("it is new");
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").merge(&builder.stream("other")).to("out");
    oddities.set(|odd| odd.held.insert(TopicPartition::new("other", 0)));
    let log = OddLog { log: world.log.clone(), oddities: oddities.clone() };
    let mut thread = world.thread_on(Arc::new(log), &builder, StreamsConfig { max_task_idle: None, ..config() });
    world.log.append("in", 0, [Entry::new("k", "late", 20)]).expect("appends");
    world.log.append("other", 0, [Entry::new("k", "early", 10)]).expect("appends");
    turn(&mut thread);
    assert_eq!((thread.report().tasks.len(), world.outputs()), (0, 0), "another may still own the other input");
    oddities.set(|odd| odd.held.clear());
    turn(&mut thread);
    assert_eq!((thread.report().tasks.len(), world.outputs()), (1, 2));
}

#[test]
fn no_task_begins_before_what_went_wrong_is_mended() {
    let (world, builder) = (World::new(1), counting());
    let mut thread = world.thread(&builder, config());
    turn(&mut thread);
    thread.fall_back();
    thread.rebalance(Rebalance::Assigned(Vec::new())).expect("is no end");
    assert_eq!(thread.report().tasks.len(), 0, "nobody knows yet how the transaction ends");
    turn(&mut thread);
    assert_eq!(thread.report().tasks.len(), 1);
}

#[test]
fn a_turn_goes_no_further_than_where_something_is_to_be_mended() {
    const LARGE: usize = 64 << 10;
    let (world, builder) = (World::new(2), StreamsBuilder::new());
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let stream = builder.stream::<String, String>("in").filter(|key, _| key != "other");
    let emit = EmitStrategy::on_window_close();
    let collected = stream.group_by_key().windowed_by(windows).emit(emit).collect("lists");
    collected.map_values(|list| list.concat()).to("out");
    let config = || StreamsConfig { commit_interval: Duration::from_hours(1), ..config() };
    let keys = (0..64).map(|key| Entry::new(format!("key-{key:02}"), "x".repeat(LARGE), 0));
    world.log.append("in", 0, keys.chain([Entry::new("closes", "x", 5_000)])).expect("appends");
    // The thread ends while a window is closing piece by piece.
    let mut first = world.thread(&builder, config());
    while world.outputs() == 0 {
        first.step(Duration::ZERO).expect("turns");
        first.commit_now().expect("commits");
    }
    drop(first);
    assert!(world.outputs() < 64, "{} of 64 came out at once", world.outputs());

    let fate = Fate::new(1, FaultRates { short_read: 1.0, ..FaultRates::NONE }, world.clock.clone());
    let log = FaultyTransport { log: world.log.clone(), process: Process::new("a", fate.clone()) };
    let mut thread = world.thread_on(Arc::new(log), &builder, config());
    world.log.append("in", 1, [Entry::new("other", "x", 0)]).expect("appends");
    for _ in 0..5 {
        thread.step(Duration::ZERO).expect("turns");
    }
    assert!(thread.tasks.is_restoring(), "the large window is on its way");
    // Another member joins. The commit before the return of partitions is refused.
    let mut other = world
        .log
        .consumer(&ConsumerConfig {
            group: "app".to_owned(),
            client_id: "b-0".to_owned(),
            instance_id: None,
            session_timeout: Duration::MAX,
            max_poll_records: 10,
        })
        .expect("opens");
    other.subscribe(&["in".into()]).expect("joins");
    fate.set_rates(FaultRates { abort: 1.0, ..FaultRates::NONE });
    thread.step(Duration::ZERO).expect("is no end");
    assert!(thread.repair.is_some(), "the transaction is to be aborted");
    fate.set_rates(FaultRates::NONE);
    for _ in 0..100 {
        thread.step(Duration::ZERO).expect("turns");
        thread.commit_now().expect("commits");
    }
    let results = world.log.read_all("out").expect("reads").into_iter();
    let keys: Vec<_> = results.filter_map(|(_, record)| record.key).collect();
    assert_eq!(keys.len(), 64, "each window once");
}
