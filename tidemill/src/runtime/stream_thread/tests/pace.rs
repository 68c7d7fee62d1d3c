//! Slow records, and a member that must poll.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{EverySecond, Notes, StreamThread, World};
use crate::{
    StreamsBuilder, StreamsConfig, TaskFailureAction,
    error::TaskError,
    processor::{ProcessorContext, Punctuation},
    runtime::TaskState,
    transport::embedded::Entry,
};

const SESSION: Duration = Duration::from_millis(450);

fn config() -> StreamsConfig {
    StreamsConfig { session_timeout: SESSION, ..StreamsConfig::new("app") }
}

/// A topology that takes a given time for each value. Counts calls.
fn slow(world: &World, takes_ms: impl Fn(&str) -> u64 + Send + Sync + 'static) -> (StreamsBuilder, Arc<AtomicUsize>) {
    let (builder, calls) = (StreamsBuilder::new(), Arc::new(AtomicUsize::new(0)));
    let (clock, count) = (world.clock.clone(), calls.clone());
    let slow = move |value: String| {
        count.fetch_add(1, Ordering::SeqCst);
        clock.advance(Duration::from_millis(takes_ms(&value)));
        value
    };
    builder.stream::<String, String>("in").map_values(slow).to("out");
    (builder, calls)
}

fn turn(thread: &mut StreamThread, times: usize) {
    for _ in 0..times {
        thread.step(Duration::ZERO).expect("turns");
    }
}

#[test]
fn a_batch_longer_than_the_session_is_processed_once() {
    let world = World::new(1);
    let (builder, calls) = slow(&world, |_| 1);
    world.append(0, 3_000);
    let mut thread = world.thread(&builder, config());
    turn(&mut thread, 200);
    thread.commit_now().expect("commits");
    assert_eq!((world.outputs(), calls.load(Ordering::SeqCst), thread.status.aborts), (3_000, 3_000, 0));
}

#[test]
fn records_that_become_slow_at_once_come_out_all_the_same() {
    let world = World::new(1);
    let (builder, calls) = slow(&world, |value| if value == "slow" { 100 } else { 0 });
    let values = ["quick"; 500].into_iter().chain(["slow"; 100]);
    world.log.append("in", 0, values.map(|value| Entry::new("k", value, 0))).expect("appends");
    let mut thread = world.thread(&builder, config());
    turn(&mut thread, 500);
    thread.commit_now().expect("commits");
    assert_eq!(world.outputs(), 600);
    assert!(calls.load(Ordering::SeqCst) < 1_300, "what was done is done again once at most");
}

#[test]
fn slow_tasks_take_turns() {
    let world = World::new(3);
    let (builder, taken) = (StreamsBuilder::new(), Arc::<Mutex<Vec<String>>>::default());
    let (clock, notes) = (world.clock.clone(), taken.clone());
    let slow = move |value: String| {
        clock.advance(Duration::from_millis(10));
        notes.lock().expect("nobody panicked").push(value.clone());
        value
    };
    builder.stream::<String, String>("in").map_values(slow).to("out");
    for partition in 0..3 {
        let entries = (0..500).map(|_| Entry::new("k", partition.to_string(), 0));
        world.log.append("in", partition, entries).expect("appends");
    }
    let mut thread = world.thread(&builder, config());
    turn(&mut thread, 40);
    let mut counts = BTreeMap::new();
    for partition in taken.lock().expect("nobody panicked").iter() {
        *counts.entry(partition.clone()).or_insert(0_usize) += 1;
    }
    let (least, most) = (counts.values().min().copied(), counts.values().max().copied());
    assert_eq!(counts.len(), 3, "each of them had a turn: {counts:?}");
    assert!(least.is_some_and(|least| least * 2 >= most.unwrap_or_default()), "{counts:?}");
}

#[test]
fn a_record_longer_than_the_session_ends_with_an_error_that_says_so() {
    let world = World::new(1);
    let (builder, calls) = slow(&world, |_| 500);
    world.append(0, 1);
    let mut thread = world.thread(&builder, config());
    let mut turns = (0..20).map(|_| thread.step(Duration::ZERO));
    let failed = turns.find_map(Result::err).expect("it cannot go on for ever");
    assert_eq!(calls.load(Ordering::SeqCst), 2, "once may be an accident");
    let TaskError::Failed { position: Some(position), source, .. } = &failed else { panic!("{}", failed.chain()) };
    assert_eq!((position.offset, position.partition.partition), (0, 0));
    let text = source.to_string();
    assert!(text.contains("500ms") && text.contains("450ms") && text.contains("session_timeout"), "{text}");
}

#[test]
fn a_task_that_stops_at_a_record_longer_than_the_session_stays_stopped() {
    let world = World::new(2);
    let (builder, calls) = slow(&world, |value| if value == "slow" { 900 } else { 0 });
    world.log.append("in", 0, [Entry::new("k", "slow", 0)]).expect("appends");
    let config = StreamsConfig { on_task_failure: TaskFailureAction::StopTask, ..config() };
    let mut thread = world.thread(&builder, config);
    for _ in 0..50 {
        thread.step(Duration::ZERO).expect("turns");
        world.append(1, 1);
    }
    turn(&mut thread, 50);
    thread.commit_now().expect("commits");
    assert_eq!(world.outputs(), 50, "the other task goes on");
    assert!(calls.load(Ordering::SeqCst) < 100, "it is not tried for ever");
    let tasks = thread.report().tasks;
    assert!(tasks.iter().any(|task| matches!(task.state, TaskState::Failed { .. })), "{tasks:?}");
}

#[test]
fn ticks_that_take_longer_than_the_session_together_do_not_end_it() {
    const TASKS: usize = 5;
    let (world, builder) = (World::new(TASKS as i32), StreamsBuilder::new());
    let (clock, calls) = (world.clock.clone(), Arc::new(AtomicUsize::new(0)));
    let supplied = calls.clone();
    // Takes long at the first second.
    let slow = move || {
        let (clock, calls) = (clock.clone(), supplied.clone());
        EverySecond(move |ctx: &mut ProcessorContext<'_, String, String>, punctuation: Punctuation, _: i64| {
            clock.advance(SESSION / 3);
            calls.fetch_add(1, Ordering::SeqCst);
            ctx.cancel(punctuation);
        })
    };
    builder.stream::<String, String>("in").process("slow", &[], slow).to("out");
    let mut thread = world.thread(&builder, config());
    for _ in 0..20 {
        turn(&mut thread, 1);
        world.clock.advance(SESSION / 3);
    }
    assert_eq!((calls.load(Ordering::SeqCst), thread.status.aborts), (TASKS, 0));
}

#[test]
fn no_record_is_blamed_for_a_log_that_takes_its_time() {
    let world = World::new(1);
    let (builder, calls) = slow(&world, |_| 0);
    world.append(0, 1);
    let notes = Notes { send_takes: Some((world.clock.clone(), 2 * SESSION)), ..Notes::default() };
    let mut thread = world.noted_thread(&notes, &builder, config());
    turn(&mut thread, 20);
    assert!(calls.load(Ordering::SeqCst) > 2, "it was repeated, for the session ended each time");
}
