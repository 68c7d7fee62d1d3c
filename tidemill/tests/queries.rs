//! Questions about stores: whom they wait for, for how long, and how much they take at a time.

mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use bytes::Bytes;
use common::{Tested, is_drained, wait_until};
use tidemill::{
    Materialized, QueryError, Streams, StreamsBuilder, StreamsConfig, TaskError, TimeWindows, Topology, partition_for,
    state::{Codec, CodecError, Coded},
    transport::embedded::{EmbeddedLog, Entry},
};

const PARTITIONS: i32 = 3;
/// More than a thread gives away at a time.
const KEYS: usize = 10_000;

fn log() -> EmbeddedLog {
    let log = EmbeddedLog::in_memory();
    log.create("in", PARTITIONS).expect("the log is empty");
    log
}

fn config() -> StreamsConfig {
    StreamsConfig { poll_timeout: Duration::from_millis(5), ..StreamsConfig::new("app") }
}

/// Counts by key and by second what `look` lets pass.
fn counting(look: impl Fn(&str) + Send + Sync + 'static) -> Topology {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").peek(move |_, value| look(value)).group_by_key();
    grouped.count("counts");
    let windows = TimeWindows::of_size_and_grace(Duration::from_secs(1), Duration::from_hours(1));
    grouped.windowed_by(windows).count("per-second");
    builder.build().expect("the topology is valid")
}

fn keys() -> impl Iterator<Item = String> {
    (0..KEYS).map(|number| format!("key-{number:05}"))
}

/// Sends a record of each key, and waits until all are counted.
fn count_all(log: &EmbeddedLog) -> Tested {
    let mut entries = BTreeMap::<_, Vec<_>>::new();
    for key in keys() {
        let partition = partition_for(Some(key.as_bytes()), PARTITIONS);
        entries.entry(partition).or_default().push(Entry::new(key, "x", 0));
    }
    for (partition, entries) in entries {
        log.append("in", partition, entries)?;
    }
    wait_until("all are counted", || is_drained(log, "app"));
    Ok(())
}

/// An application whose operator has it in its hands.
fn held<R: Send + 'static>(
    log: &EmbeddedLog,
    act: impl Fn(Streams) -> R + Send + Sync + 'static,
) -> Tested<(Sender<Streams>, Receiver<R>, Streams)> {
    let (give, taken) = channel();
    let (tell, told) = channel();
    let (taken, tell) = (Mutex::new(taken), Mutex::new(tell));
    let topology = counting(move |_| {
        let streams = taken.lock().expect("nobody panicked").recv().expect("the test gives it");
        tell.lock().expect("nobody panicked").send(act(streams)).expect("the test listens");
    });
    let streams = Streams::start(&topology, config(), log.clone())?;
    Ok((give, told, streams))
}

#[test]
fn an_application_that_is_closed_by_its_own_operator_ends_with_an_error() -> Tested {
    let log = log();
    let (give, told, streams) = held(&log, Streams::close)?;
    log.append("in", 0, [Entry::new("k", "x", 0)])?;
    give.send(streams)?;
    let closed = told.recv()?;
    let Err(error @ TaskError::WaitsForItself { .. }) = closed else { panic!("{closed:?}") };
    assert!(error.to_string().contains("Streams::stop"), "{error}");
    wait_until("its thread leaves", || log.group_lag("app").iter().all(|partition| partition.member.is_none()));
    assert_eq!(log.group_lag("app")[0].committed, Some(1), "it ended in good order");
    Ok(())
}

#[test]
fn an_application_that_its_own_operator_drops_ends() -> Tested {
    let log = log();
    let (give, told, streams) = held(&log, drop)?;
    log.append("in", 0, [Entry::new("k", "x", 0)])?;
    give.send(streams)?;
    told.recv()?;
    wait_until("its thread leaves", || log.group_lag("app").iter().all(|partition| partition.member.is_none()));
    Ok(())
}

#[test]
fn a_query_on_the_thread_that_would_answer_it_is_an_error() -> Tested {
    let log = log();
    let asks = |streams: Streams| {
        let query = || streams.key_value_store::<String, i64>("counts");
        let found = [query().get(&"k".to_owned()), query().enable_stale_stores().get(&"k".to_owned())];
        let windows = streams.window_store::<String, i64>("per-second").fetch(&"k".to_owned(), 0, 1_000);
        streams.stop();
        (found, windows, streams)
    };
    let (give, told, streams) = held(&log, asks)?;
    log.append("in", 0, [Entry::new("k", "x", 0)])?;
    give.send(streams)?;
    let (found, windows, streams) = told.recv()?;
    assert!(found.iter().all(|found| matches!(found, Err(QueryError::FromWithin(_)))), "{found:?}");
    assert!(matches!(windows, Err(QueryError::FromWithin(name)) if name == "per-second"));
    streams.wait()?;
    Ok(())
}

#[test]
fn a_query_of_a_thread_that_is_busy_with_a_record_does_not_wait_for_ever() -> Tested {
    let log = log();
    let (entered, has_entered) = channel();
    let (open, gate) = channel::<()>();
    let (entered, gate) = (Mutex::new(entered), Mutex::new(gate));
    let topology = counting(move |_| {
        entered.lock().expect("nobody panicked").send(()).expect("the test listens");
        gate.lock().expect("nobody panicked").recv().expect("the test opens the gate");
    });
    let streams = Streams::start(&topology, config(), log.clone())?;
    log.append("in", 0, [Entry::new("k", "x", 0)])?;
    has_entered.recv()?;
    let query = || streams.key_value_store::<String, i64>("counts");
    let late = query().with_timeout(Duration::from_millis(10)).get(&"k".to_owned());
    assert!(matches!(&late, Err(QueryError::TimedOut { store, .. }) if store == "counts"), "{late:?}");
    open.send(())?;
    wait_until("it is counted", || matches!(query().get(&"k".to_owned()), Ok(Some(1))));
    streams.close()?;
    Ok(())
}

#[test]
fn a_thread_that_waits_for_records_answers_queries_and_ends_when_it_is_asked() -> Tested {
    let log = log();
    let hour = Duration::from_hours(1);
    let config = StreamsConfig { poll_timeout: hour, session_timeout: 2 * hour, ..config() };
    let streams = Streams::start(&counting(|_| {}), config, log.clone())?;
    count_all(&log)?;
    let query = streams.key_value_store::<String, i64>("counts").with_timeout(Duration::from_mins(1));
    for key in keys().take(100) {
        assert_eq!(query.get(&key)?, Some(1));
    }
    streams.close()?;
    Ok(())
}

#[test]
fn a_store_is_read_in_pieces_and_pages() -> Tested {
    let log = log();
    let config = StreamsConfig { num_stream_threads: 2, ..config() };
    let streams = Streams::start(&counting(|_| {}), config, log.clone())?;
    count_all(&log)?;
    wait_until("no task moves any more", || {
        streams.status().iter().map(|thread| thread.tasks.len()).sum::<usize>() == PARTITIONS as usize
            && streams.status().iter().all(|thread| !thread.tasks.is_empty())
    });
    let query = streams.key_value_store::<String, i64>("counts");
    assert_eq!(query.all()?, keys().map(|key| (key, 1)).collect::<Vec<_>>());
    assert_eq!(query.all_keys()?, keys().collect::<Vec<_>>());
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = query.page_of_keys(after.as_ref(), 777)?;
        assert!(page.len() <= 777);
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        found.extend(page);
    }
    assert_eq!(found, keys().collect::<Vec<_>>());
    assert_eq!(query.page(Some(&"key-00041".to_owned()), 1)?, [("key-00042".to_owned(), 1)]);
    assert!(query.page(None, 0)?.is_empty());
    let windows = streams.window_store::<String, i64>("per-second");
    assert_eq!(windows.fetch(&"key-09999".to_owned(), 0, 1_000)?, [(0, 1)]);
    streams.close()?;
    Ok(())
}

/// A value that its codec cannot read. The codec has no name, so that nothing tells that it does not fit.
#[derive(Debug)]
struct Unreadable;

#[derive(Default)]
struct ReadsNothing;

impl Coded for Unreadable {
    type Codec = ReadsNothing;
}

impl Codec<Unreadable> for ReadsNothing {
    fn encode_into(&self, _: &Unreadable, _: &mut Vec<u8>) -> Result<(), CodecError> {
        Err(CodecError::Null)
    }

    fn decode(&self, _: Bytes) -> Result<Unreadable, CodecError> {
        Err(CodecError::Null)
    }
}

#[test]
fn keys_are_told_without_a_look_at_their_values() -> Tested {
    let log = log();
    let streams = Streams::start(&counting(|_| {}), config(), log.clone())?;
    count_all(&log)?;
    let wrong = streams.key_value_store::<String, Unreadable>("counts");
    assert_eq!(wrong.page_of_keys(None, 2)?, ["key-00000", "key-00001"]);
    let undecodable = wrong.page(None, 2);
    assert!(matches!(undecodable, Err(QueryError::Store(_))), "{undecodable:?}");
    streams.close()?;
    Ok(())
}

#[test]
fn a_standby_is_read_in_pieces() -> Tested {
    let log = log();
    let config = |name: &str| StreamsConfig {
        client_id: Some(name.to_owned()),
        num_standby_replicas: 1,
        member_timeout: Duration::from_mins(1),
        ..config()
    };
    let one = Streams::start(&counting(|_| {}), config("one"), log.clone())?;
    let two = Streams::start(&counting(|_| {}), config("two"), log.clone())?;
    count_all(&log)?;
    let all = |streams: &Streams| {
        let query = streams.key_value_store::<String, i64>("counts").enable_stale_stores();
        query.all_keys().map(|found| found.len()).unwrap_or_default()
    };
    wait_until("each knows all keys", || all(&one) == KEYS && all(&two) == KEYS);
    one.close()?;
    two.close()?;
    Ok(())
}

#[test]
fn versions_are_found_in_all_partitions_and_on_standbys() -> Tested {
    let log = log();
    let config = |name: &str| StreamsConfig {
        client_id: Some(name.to_owned()),
        num_standby_replicas: 1,
        member_timeout: Duration::from_mins(1),
        ..config()
    };
    let builder = StreamsBuilder::new();
    builder.table::<String, String>("in", Materialized::named("kept").versioned(Duration::from_secs(1)));
    let topology = builder.build()?;
    let one = Streams::start(&topology, config("one"), log.clone())?;
    let two = Streams::start(&topology, config("two"), log.clone())?;
    let keys: Vec<_> = keys().take(20).collect();
    for key in &keys {
        let partition = partition_for(Some(key.as_bytes()), PARTITIONS);
        let versions = [("a", 100), ("c", 300), ("b", 200)];
        log.append("in", partition, versions.map(|(value, at)| Entry::new(key.clone(), value, at)))?;
    }
    wait_until("all are kept", || is_drained(&log, "app"));
    for streams in [&one, &two] {
        let kept = streams.versioned_store::<String, String>("kept").enable_stale_stores();
        let has =
            |key: &String, versions: usize| kept.history(key, 0, i64::MAX).is_ok_and(|found| found.len() == versions);
        wait_until("each has all versions", || keys.iter().all(|key| has(key, 3)));
        for key in &keys {
            let then = kept.get_as_of(key, 299)?.ok_or("it had a value")?;
            assert_eq!((&*then.value, then.timestamp, then.valid_to), ("b", 200, Some(300)));
            assert_eq!(kept.get(key)?.map(|version| version.value).as_deref(), Some("c"));
            assert_eq!(kept.get_as_of(key, 99)?, None);
        }
    }
    let plain = one.key_value_store::<String, String>("kept").get(&keys[0]);
    assert!(matches!(plain, Err(QueryError::WrongStoreTypes(_))), "{plain:?}");
    one.close()?;
    two.close()?;
    Ok(())
}

/// A store that a processor of another application asks about, which asks back: neither waits for ever.
#[test]
fn two_applications_that_ask_each_other_do_not_wait_for_ever() -> Tested {
    type Other = Arc<OnceLock<Streams>>;
    let (first, second) = (Other::default(), Other::default());
    let (tell, told) = channel();
    let logs = [log(), log()];
    let start = |log: &EmbeddedLog, other: Other| {
        let tell = Mutex::new(tell.clone());
        let topology = counting(move |_| {
            let other = other.get().expect("both have started");
            let query = other.key_value_store::<String, i64>("counts").with_timeout(Duration::from_millis(50));
            tell.lock().expect("nobody panicked").send(query.get(&"k".to_owned()).map(drop)).expect("the test listens");
        });
        Streams::start(&topology, config(), log.clone())
    };
    let streams = [start(&logs[0], second.clone())?, start(&logs[1], first.clone())?];
    let runs = |streams: &Streams| streams.status().iter().map(|thread| thread.tasks.len()).sum::<usize>() == 3;
    wait_until("both run", || streams.iter().all(runs));
    let [one, two] = streams;
    assert!(first.set(one).is_ok() && second.set(two).is_ok());
    for log in &logs {
        log.append("in", 0, [Entry::new("k", "x", 0)])?;
    }
    let answers = [told.recv()?, told.recv()?];
    let is_told = |answer: &Result<(), QueryError>| matches!(answer, Ok(()) | Err(QueryError::TimedOut { .. }));
    assert!(answers.iter().all(is_told), "{answers:?}");
    for streams in [&first, &second] {
        streams.get().expect("it was set").stop();
    }
    Ok(())
}

/// What is past its retention is hidden while a store still has it: between two closes, on a standby, and after a
/// restore, before the first record.
#[test]
fn windows_past_their_retention_are_not_shown() -> Tested {
    for by_key in [false, true] {
        let builder = StreamsBuilder::new();
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
        let windows = if by_key { windows.event_time_by_key() } else { windows };
        let kept = Materialized::<String, i64>::named("per-second").retention(Duration::from_millis(2_200));
        builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count(kept);
        let topology = builder.build()?;
        let log = log();
        let partition = partition_for(Some(b"a"), PARTITIONS);
        let times = [0, 1_000, 2_000, 3_000, 4_000, 5_000, 5_500];
        let found = |streams: &Streams| {
            streams.window_store::<String, i64>("per-second").enable_stale_stores().fetch(&"a".into(), 0, 10_000)
        };
        let streams = Streams::start(&topology, config(), log.clone())?;
        log.append("in", partition, times.map(|time| Entry::new("a", "x", time)))?;
        wait_until("all are counted", || is_drained(&log, "app"));
        assert_eq!(found(&streams)?, [(4_000, 1), (5_000, 2)], "by key: {by_key}");
        streams.close()?;
        let streams = Streams::start(&topology, config(), log.clone())?;
        wait_until("the store is restored", || found(&streams).is_ok_and(|found| !found.is_empty()));
        assert_eq!(found(&streams)?, [(4_000, 1), (5_000, 2)], "by key: {by_key}, restored");
        streams.close()?;
    }
    Ok(())
}
