//! What is committed together, what a replaced instance can still do, and what queries see.

mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use common::{Tested, is_drained, records, wait_until};
use tidemill::{
    ManualClock, ProcessingGuarantee, QueryError, Streams, StreamsBuilder, StreamsConfig, TimeWindows, Topology,
    transport::embedded::{EmbeddedLog, Entry},
};

const HOUR: Duration = Duration::from_hours(1);

/// Counts what `look` lets pass.
fn counting(look: impl Fn(&str) + Send + Sync + 'static) -> Topology {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in").peek(move |_, value| look(value));
    stream.to("copies");
    stream.group_by_key().count("counts").to_stream().to("out");
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    stream.group_by_key().windowed_by(windows).count("per-second");
    builder.build().expect("the topology is valid")
}

fn create_topics(log: &EmbeddedLog) {
    for topic in ["in", "copies", "out"] {
        log.create(topic, 1).expect("the log is empty");
    }
}

fn log() -> EmbeddedLog {
    let log = EmbeddedLog::in_memory();
    create_topics(&log);
    log
}

fn committing(name: &str, every: Duration) -> StreamsConfig {
    StreamsConfig {
        client_id: Some(name.into()),
        commit_interval: every,
        poll_timeout: Duration::from_millis(5),
        ..StreamsConfig::new("app")
    }
}

fn processed(streams: &Streams) -> u64 {
    streams.status().iter().flat_map(|thread| &thread.tasks).map(|task| task.records_processed).sum()
}

fn copies(log: &EmbeddedLog) -> Vec<String> {
    records::<String, String>(log, "copies").into_iter().map(|(_, _, value)| value).collect()
}

fn counts(log: &EmbeddedLog) -> Vec<i64> {
    records::<String, i64>(log, "out").into_iter().map(|(_, _, count)| count).collect()
}

#[test]
fn outputs_offsets_and_changelog_become_visible_together() -> Tested {
    let log = log();
    let streams = Streams::start(&counting(|_| {}), committing("one", HOUR), log.clone())?;
    log.append("in", 0, (0..5).map(|number| Entry::new("k", number.to_string(), number)))?;
    wait_until("all are processed", || processed(&streams) == 5);
    for topic in ["copies", "out", "app-counts-changelog", "app-per-second-changelog"] {
        assert_eq!(log.end_offsets(topic)?, [0], "{topic}");
    }
    assert_eq!(log.group_lag("app")[0].committed, None);
    streams.close()?;
    assert_eq!(copies(&log), ["0", "1", "2", "3", "4"]);
    assert_eq!(counts(&log), [1, 2, 3, 4, 5]);
    assert_eq!(records::<String, i64>(&log, "app-counts-changelog"), [(0, "k".into(), 5)]);
    assert_eq!(log.group_lag("app")[0].committed, Some(5));
    Ok(())
}

#[test]
fn an_instance_that_dies_leaves_nothing_of_its_last_transaction() -> Tested {
    let log = log();
    let dies = counting(|value| assert_ne!(value, "4"));
    let streams = Streams::start(&dies, committing("one", HOUR), log.clone())?;
    log.append("in", 0, (0..5).map(|number| Entry::new("k", number.to_string(), number)))?;
    streams.wait().err().ok_or("it dies")?;
    assert_eq!(log.end_offsets("copies")?, [0]);
    let streams = Streams::start(&counting(|_| {}), committing("two", Duration::from_millis(1)), log.clone())?;
    wait_until("all are counted", || is_drained(&log, "app"));
    streams.close()?;
    assert_eq!(copies(&log), ["0", "1", "2", "3", "4"]);
    assert_eq!(counts(&log), [1, 2, 3, 4, 5]);
    Ok(())
}

#[test]
fn at_least_once_may_repeat_outputs_but_loses_none() -> Tested {
    const RECORDS: i64 = 2_500;
    let log = log();
    let at_least_once = |config| StreamsConfig { processing_guarantee: ProcessingGuarantee::AtLeastOnce, ..config };
    let last = (RECORDS - 1).to_string();
    let dies = counting(move |value| assert_ne!(value, last));
    log.append("in", 0, (0..RECORDS).map(|number| Entry::new("k", number.to_string(), number)))?;
    let streams = Streams::start(&dies, at_least_once(committing("one", HOUR)), log.clone())?;
    streams.wait().err().ok_or("it dies")?;
    assert!(log.group_lag("app").iter().all(|partition| partition.committed.is_none()));
    let before = copies(&log).len();
    assert!(before > 0, "without transactions, outputs are visible before their offsets are committed");
    let config = at_least_once(committing("two", Duration::from_millis(1)));
    let streams = Streams::start(&counting(|_| {}), config, log.clone())?;
    wait_until("all are counted", || is_drained(&log, "app"));
    streams.close()?;
    let copies = copies(&log);
    assert_eq!(copies.len(), before + RECORDS as usize);
    let tail: Vec<_> = (0..RECORDS).map(|number| number.to_string()).collect();
    assert_eq!(copies[before..], tail);
    assert_eq!(counts(&log).last(), Some(&RECORDS), "the state was not committed, so nothing is counted twice");
    Ok(())
}

/// A log whose sessions go by this clock.
fn log_by(clock: &ManualClock) -> EmbeddedLog {
    let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
    create_topics(&log);
    log
}

/// An instance stops in the middle of its work, is replaced, and wakes up.
fn zombie(commit_interval: Duration) -> Tested {
    let clock = ManualClock::new(0);
    let log = log_by(&clock);
    let (entered, has_entered) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let (asleep, gate) = (AtomicBool::new(false), Mutex::new(gate));
    let sleeps = counting(move |value| {
        if value == "sleep" && !asleep.swap(true, Ordering::SeqCst) {
            entered.send(()).expect("the test waits");
            gate.lock().expect("nobody panics").recv().expect("the test opens the gate");
        }
    });
    let zombie = Streams::start(&sleeps, committing("zombie", commit_interval), log.clone())?;
    log.append("in", 0, ["a", "b", "sleep", "c"].map(|value| Entry::new("k", value, 0)))?;
    has_entered.recv()?;

    clock.advance(StreamsConfig::new("app").session_timeout);
    let heir = Streams::start(&counting(|_| {}), committing("heir", Duration::from_millis(1)), log.clone())?;
    wait_until("the heir does the work", || is_drained(&log, "app"));
    assert_eq!(copies(&log), ["a", "b", "sleep", "c"]);

    open.send(())?;
    wait_until("the zombie learns that it was replaced", || {
        zombie.status().iter().any(|thread| thread.fenced + thread.aborts > 0)
    });
    log.append("in", 0, [Entry::new("k", "d", 0)])?;
    wait_until("life goes on", || is_drained(&log, "app"));
    heir.close()?;
    log.append("in", 0, [Entry::new("k", "e", 0)])?;
    wait_until("the zombie serves again", || is_drained(&log, "app"));
    zombie.close()?;
    assert_eq!(copies(&log), ["a", "b", "sleep", "c", "d", "e"]);
    assert_eq!(counts(&log), [1, 2, 3, 4, 5, 6]);
    Ok(())
}

#[test]
fn a_replaced_instance_that_commits_is_fenced_and_joins_again() -> Tested {
    zombie(Duration::from_millis(1))
}

#[test]
fn a_replaced_instance_that_polls_drops_its_work_and_joins_again() -> Tested {
    zombie(Duration::from_secs(2))
}

#[test]
fn queries_see_every_partition_and_uncommitted_updates() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("in", 3)?;
    log.create("copies", 3)?;
    log.create("out", 3)?;
    let config = StreamsConfig { num_stream_threads: 2, ..committing("one", HOUR) };
    let streams = Streams::start(&counting(|_| {}), config, log.clone())?;
    // A task that moves commits, and begins to count anew.
    wait_until("the threads share the tasks", || {
        let tasks: Vec<_> = streams.status().iter().map(|thread| thread.tasks.len()).collect();
        tasks.iter().sum::<usize>() == 3 && !tasks.contains(&0)
    });
    for partition in 0..3 {
        let entries = [500, 900, 1_000].map(|timestamp| Entry::new(format!("k{partition}"), "x", timestamp));
        log.append("in", partition, entries)?;
    }
    wait_until("all are processed", || processed(&streams) == 9);
    let counts = streams.key_value_store::<String, i64>("counts");
    let all: BTreeMap<_, _> = counts.all()?.into_iter().collect();
    assert_eq!(all, (0..3).map(|number| (format!("k{number}"), 3)).collect());
    assert_eq!(counts.get(&"k2".into())?, Some(3));
    assert_eq!(counts.get(&"nobody".into())?, None);
    let windows = streams.window_store::<String, i64>("per-second");
    assert_eq!(windows.fetch(&"k1".into(), 0, 2_000)?, [(1_000, 1)], "closed windows are past their retention");
    assert!(matches!(windows.fetch(&"nobody".into(), 0, 2_000)?.as_slice(), []));
    let wrong_kind = streams.key_value_store::<String, i64>("per-second").all();
    assert!(matches!(wrong_kind, Err(QueryError::WrongStoreTypes(wrong)) if wrong.store == "per-second"));
    assert!(matches!(streams.key_value_store::<String, i64>("other").all(), Err(QueryError::UnknownStore(_))));
    assert_eq!(log.end_offsets("out")?, [0, 0, 0], "a query commits nothing");
    streams.close()?;
    assert!(matches!(counts.all(), Err(QueryError::NotRunning)));
    Ok(())
}

#[test]
fn a_small_buffer_slows_but_loses_nothing() -> Tested {
    let log = log();
    let config = StreamsConfig { max_buffered_records: 1, ..committing("one", Duration::from_millis(1)) };
    let streams = Streams::start(&counting(|_| {}), config, log.clone())?;
    for round in 0..10 {
        log.append("in", 0, (0..300).map(|number| Entry::new("k", (round * 300 + number).to_string(), 0)))?;
    }
    wait_until("all are counted", || is_drained(&log, "app"));
    streams.close()?;
    assert_eq!(copies(&log), (0..3_000).map(|number| number.to_string()).collect::<Vec<_>>());
    Ok(())
}
