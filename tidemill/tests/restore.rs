//! State on disk: what a start finds, replays, sets aside or refuses.
#![cfg(feature = "rocksdb")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use common::{Tested, is_drained, wait_until};
use tempfile::TempDir;
use tidemill::{
    Materialized, Streams, StreamsBuilder, StreamsConfig, Topology,
    transport::embedded::{EmbeddedLog, Entry},
};

type Counts = BTreeMap<String, i64>;

fn counting(store: Materialized<String, i64>) -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count(store).to_stream().to("out");
    builder.build().expect("the topology is valid")
}

fn log() -> EmbeddedLog {
    let log = EmbeddedLog::in_memory();
    create_topics(&log);
    log
}

fn create_topics(log: &EmbeddedLog) {
    log.create("in", 1).expect("the log is empty");
    log.create("out", 1).expect("the log is empty");
}

fn start(log: &EmbeddedLog, state: &Path) -> Streams {
    let config = StreamsConfig { state_dir: Some(state.to_owned()), ..StreamsConfig::new("app") };
    Streams::start(&counting("counts".into()), config, log.clone()).expect("it starts")
}

/// Sends one record for each number, which is its key, and waits until all are counted.
fn count(log: &EmbeddedLog, keys: std::ops::Range<i32>) {
    let entries = keys.map(|key| Entry::new(key.to_string(), "x", 0));
    log.append("in", 0, entries).expect("the topic exists");
    wait_until("counted", || is_drained(log, "app"));
}

/// What the store holds, once its task runs.
fn stored(streams: &Streams) -> Counts {
    let query = streams.key_value_store::<String, i64>("counts");
    let mut found = Err(());
    wait_until("the store can be asked", || {
        found = query.all().map_err(drop);
        found.is_ok()
    });
    found.map(|rows| rows.into_iter().collect()).unwrap_or_default()
}

/// Closes, and tells how many changelog records were replayed since the start.
fn restored(streams: Streams) -> u64 {
    stored(&streams);
    // Reports lag behind by 100 ms; what was restored was so before the store could be asked.
    let mut restored = 0;
    wait_until("the task runs", || {
        let statuses = streams.status();
        restored = statuses.iter().map(|thread| thread.records_restored).sum();
        statuses.iter().any(|thread| !thread.tasks.is_empty())
    });
    streams.close().expect("it closes");
    restored
}

fn expect(keys: std::ops::Range<i32>, count: i64) -> Counts {
    keys.map(|key| (key.to_string(), count)).collect()
}

/// The store's folder, with the state of ten keys counted once.
fn counted(log: &EmbeddedLog, state: &TempDir) -> PathBuf {
    let streams = start(log, state.path());
    count(log, 0..10);
    streams.close().expect("it closes");
    state.path().join("app").join("0_0").join("counts")
}

#[test]
fn state_is_used_again_after_a_clean_close_without_a_replay() -> Tested {
    let (log, state) = (log(), tempfile::tempdir()?);
    counted(&log, &state);
    let streams = start(&log, state.path());
    assert_eq!(stored(&streams), expect(0..10, 1));
    count(&log, 0..10);
    assert_eq!(stored(&streams), expect(0..10, 2));
    assert_eq!(restored(streams), 0);
    Ok(())
}

const CHILD: &str = "TIDEMILL_TEST_RESTORE";

/// Counts twenty more keys and dies without closing anything.
#[test]
#[ignore = "the test of a killed process runs it"]
fn child_that_is_killed() {
    let folder = std::env::var_os(CHILD).map(PathBuf::from).expect("the parent says where");
    let log = EmbeddedLog::open(folder.join("log")).expect("the log opens");
    let _streams = start(&log, &folder.join("state"));
    count(&log, 10..30);
    std::process::abort();
}

#[test]
fn after_a_kill_only_the_changelogs_tail_is_replayed() -> Tested {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let log = EmbeddedLog::open(folder.path().join("log"))?;
    create_topics(&log);
    let streams = start(&log, &state);
    count(&log, 0..10);
    streams.close()?;
    drop(log);

    let mut child = Command::new(std::env::current_exe()?);
    child.args(["--exact", "child_that_is_killed", "--ignored", "--nocapture"]).env(CHILD, folder.path());
    let ended = child.output()?;
    assert_eq!(ended.status.code(), None, "aborted: {}", String::from_utf8_lossy(&ended.stderr));

    let log = EmbeddedLog::open(folder.path().join("log"))?;
    assert_eq!(log.read_all("app-counts-changelog")?.len(), 30);
    let streams = start(&log, &state);
    assert_eq!(stored(&streams), expect(0..30, 1));
    count(&log, 0..30);
    assert_eq!(stored(&streams), expect(0..30, 2));
    assert_eq!(restored(streams), 20);
    Ok(())
}

/// Counts a thousand keys, waits for some flushes, counts a little more, and dies. Nothing is ever closed.
#[test]
#[ignore = "the test of a killed process that closed nothing runs it"]
fn child_that_is_killed_and_never_closed() {
    let folder = std::env::var_os(CHILD).map(PathBuf::from).expect("the parent says where");
    let log = EmbeddedLog::open(folder.join("log")).expect("the log opens");
    let config = StreamsConfig {
        state_dir: Some(folder.join("state")),
        state_flush_interval: Duration::from_millis(200),
        ..StreamsConfig::new("app")
    };
    let _streams = Streams::start(&counting("counts".into()), config, log.clone()).expect("it starts");
    count(&log, 0..1000);
    // What is flushed first may be older than the last of them; what is flushed third is not.
    for key in 1000..1003 {
        let known = last_table(&folder);
        count(&log, key..key + 1);
        wait_until("the store is flushed", || last_table(&folder) > known);
    }
    count(&log, 0..5);
    std::process::abort();
}

/// The name of the store's youngest file of rows; names are numbers that grow.
fn last_table(folder: &Path) -> Option<PathBuf> {
    let store = folder.join("state").join("app").join("0_0").join("counts");
    let tables = files(&store, "").into_iter().filter(|path| path.extension().is_some_and(|end| end == "sst"));
    tables.max()
}

#[test]
fn a_process_that_is_killed_and_never_closed_leaves_little_to_replay() -> Tested {
    let folder = tempfile::tempdir()?;
    let log = EmbeddedLog::open(folder.path().join("log"))?;
    create_topics(&log);
    drop(log);

    let mut child = Command::new(std::env::current_exe()?);
    child.args(["--exact", "child_that_is_killed_and_never_closed", "--ignored", "--nocapture"]);
    let ended = child.env(CHILD, folder.path()).output()?;
    assert_eq!(ended.status.code(), None, "aborted: {}", String::from_utf8_lossy(&ended.stderr));

    let log = EmbeddedLog::open(folder.path().join("log"))?;
    assert_eq!(log.read_all("app-counts-changelog")?.len(), 1008);
    let streams = start(&log, &folder.path().join("state"));
    let mut expected = expect(5..1003, 1);
    expected.extend(expect(0..5, 2));
    assert_eq!(stored(&streams), expected);
    let replayed = restored(streams);
    assert!(replayed < 100, "{replayed} of 1,008 changes");
    Ok(())
}

#[test]
fn deleted_state_is_rebuilt_from_the_changelog() -> Tested {
    let (log, state) = (log(), tempfile::tempdir()?);
    counted(&log, &state);
    fs::remove_dir_all(state.path().join("app"))?;
    let streams = start(&log, state.path());
    assert_eq!(stored(&streams), expect(0..10, 1));
    assert_eq!(restored(streams), 10);
    Ok(())
}

/// The files of a folder whose names begin so.
fn files(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it can be read").path());
    let begins = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    names.filter(begins).collect()
}

#[test]
fn a_damaged_store_is_set_aside_and_rebuilt() -> Tested {
    for damaged in ["CURRENT", "MANIFEST-"] {
        let (log, state) = (log(), tempfile::tempdir()?);
        let folder = counted(&log, &state);
        for round in 1..=2 {
            for file in files(&folder, damaged) {
                fs::OpenOptions::new().write(true).open(file)?.set_len(3)?;
            }
            let streams = start(&log, state.path());
            assert_eq!(stored(&streams), expect(0..10, 1), "{damaged}");
            assert_eq!(restored(streams), 10, "{damaged}");
            for number in 1..=2 {
                let aside = folder.with_file_name(format!("counts.corrupt-{number}"));
                assert_eq!(aside.is_dir(), number <= round, "{damaged}, {}", aside.display());
            }
        }
    }
    Ok(())
}

#[test]
fn one_state_folder_serves_one_instance() -> Tested {
    let (log, state) = (log(), tempfile::tempdir()?);
    let first = start(&log, state.path());
    let config = StreamsConfig { state_dir: Some(state.path().to_owned()), ..StreamsConfig::new("app") };
    let second = Streams::start(&counting("counts".into()), config, log.clone());
    let error = second.err().ok_or("it must not start")?;
    assert!(error.to_string().contains("is in use by another instance: stop that one"), "{error}");
    count(&log, 0..3);
    assert_eq!(stored(&first), expect(0..3, 1));
    first.close()?;
    assert_eq!(stored(&start(&log, state.path())), expect(0..3, 1), "the lock goes with the instance");
    Ok(())
}

#[test]
fn a_state_folder_that_is_a_file_is_a_clear_error() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state");
    fs::write(&file, "not a folder")?;
    let config = StreamsConfig { state_dir: Some(file), ..StreamsConfig::new("app") };
    let error = Streams::start(&counting("counts".into()), config, log()).err().ok_or("it must not start")?;
    assert!(error.to_string().contains("check that it is a folder which this user may read and write"), "{error}");
    Ok(())
}

#[test]
fn stores_in_memory_are_rebuilt_at_every_start() -> Tested {
    let (log, state) = (log(), tempfile::tempdir()?);
    for round in 1..=3 {
        let config = StreamsConfig { state_dir: Some(state.path().to_owned()), ..StreamsConfig::new("app") };
        let topology = counting(Materialized::named("counts").in_memory());
        let streams = Streams::start(&topology, config, log.clone())?;
        count(&log, 0..10);
        assert_eq!(stored(&streams), expect(0..10, round));
        assert_eq!(restored(streams), 10 * (round as u64 - 1));
    }
    Ok(())
}

#[test]
fn a_persistent_store_without_changelog_survives_a_restart() -> Tested {
    let (log, state) = (log(), tempfile::tempdir()?);
    for round in 1..=2 {
        let config = StreamsConfig { state_dir: Some(state.path().to_owned()), ..StreamsConfig::new("app") };
        let topology = counting(Materialized::named("counts").without_logging());
        let streams = Streams::start(&topology, config, log.clone())?;
        count(&log, 0..10);
        assert_eq!(stored(&streams), expect(0..10, round));
        streams.close()?;
    }
    Ok(())
}
