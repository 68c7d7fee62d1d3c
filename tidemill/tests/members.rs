//! Instances know of each other: who runs what, where a key is, and who keeps a task warm for the next.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, counting, in_and_out, is_drained, running, standing_by, wait_until};
use tidemill::{
    QueryError, Streams, StreamsConfig, partition_for,
    transport::embedded::{EmbeddedLog, Entry},
};

const PARTITIONS: i32 = 4;
const KEYS: i32 = 200;

fn config(name: &str, standbys: usize) -> StreamsConfig {
    StreamsConfig {
        client_id: Some(name.into()),
        application_server: Some(format!("{name}.example:80")),
        num_standby_replicas: standbys,
        member_timeout: Duration::from_secs(60),
        commit_interval: Duration::from_millis(5),
        poll_timeout: Duration::from_millis(5),
        ..StreamsConfig::new("app")
    }
}

fn keys() -> impl Iterator<Item = String> {
    (0..KEYS).map(|number| format!("key-{number}"))
}

/// Sends a record of each key, and waits until all are counted.
fn count(log: &EmbeddedLog) {
    for key in keys() {
        let partition = partition_for(Some(key.as_bytes()), PARTITIONS);
        log.append("in", partition, [Entry::new(key, "x", 0)]).expect("the topic exists");
    }
    wait_until("all are counted", || is_drained(log, "app"));
}

fn restored(streams: &Streams) -> u64 {
    streams.status().iter().map(|thread| thread.records_restored).sum()
}

/// Everything that an instance has, its standbys included.
fn all(streams: &Streams) -> BTreeMap<String, i64> {
    let query = streams.key_value_store("counts").enable_stale_stores();
    query.all().unwrap_or_default().into_iter().collect()
}

fn counted(count: i64) -> BTreeMap<String, i64> {
    keys().map(|key| (key, count)).collect()
}

#[test]
fn the_metadata_of_a_key_names_the_instance_that_has_it() -> Tested {
    let (log, topology) = (in_and_out(PARTITIONS), counting());
    let start = |name| Streams::start(&topology, config(name, 1), log.clone());
    let instances = [start("a")?, start("b")?];
    wait_until("two share", || instances.iter().all(|one| running(one) == 2 && standing_by(one) == 2));
    count(&log);
    wait_until("each knows of the other's standbys", || {
        let knows = |one: &Streams| one.metadata().iter().all(|member| member.standby_tasks.len() == 2);
        instances.iter().all(knows)
    });
    for one in &instances {
        let members = one.metadata();
        let names: Vec<_> = members.iter().map(|member| member.host.instance.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(members.iter().all(|member| member.stores.contains("counts") && member.active_tasks.len() == 2));
        for key in keys() {
            let found = one.query_metadata_for_key("counts", &key)?;
            let owner = found.active.expect("every task has an owner");
            assert_eq!(owner.address.as_deref(), Some(&*format!("{}.example:80", owner.instance)));
            let [here, there] = if owner.instance == "a" { [0, 1] } else { [1, 0] };
            let ask =
                |at: usize| instances[at].key_value_store::<String, i64>("counts").with_partition(found.partition);
            assert_eq!(ask(here).get(&key)?, Some(1), "{key}");
            assert!(matches!(ask(there).get(&key), Err(QueryError::NotHere(_))), "{key}");
            let standbys: Vec<_> = found.standbys.iter().map(|host| host.instance.as_str()).collect();
            assert_eq!(standbys, [if owner.instance == "a" { "b" } else { "a" }]);
            wait_until("the standby has it, too", || matches!(ask(there).enable_stale_stores().get(&key), Ok(Some(1))));
        }
    }
    let unknown = instances[0].query_metadata_for_key("nothing", &"key".to_owned());
    assert!(matches!(unknown, Err(QueryError::UnknownStore(_))));
    Ok(())
}

/// One instance goes; the other has everything already.
fn take_over(here: StreamsConfig, there: StreamsConfig) -> Tested {
    let (log, topology) = (in_and_out(PARTITIONS), counting());
    let first = Streams::start(&topology, here, log.clone())?;
    wait_until("one runs all", || running(&first) == 4);
    let second = Streams::start(&topology, there, log.clone())?;
    wait_until("two share", || [&first, &second].iter().all(|one| running(one) == 2 && standing_by(one) == 2));
    count(&log);
    wait_until("the standbys are current", || all(&first) == counted(1));
    let before = restored(&first);
    second.close()?;
    wait_until("one runs all again", || running(&first) == 4);
    assert_eq!((restored(&first) - before, standing_by(&first)), (0, 0), "nothing was left to replay");
    count(&log);
    assert_eq!(all(&first), counted(2));
    first.close()?;
    Ok(())
}

#[test]
fn stores_in_memory_are_taken_over_without_a_replay() -> Tested {
    take_over(config("a", 1), config("b", 1))
}

#[cfg(feature = "rocksdb")]
#[test]
fn stores_on_disk_are_taken_over_without_a_replay() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let on = |name, state: &tempfile::TempDir| StreamsConfig {
        state_dir: Some(state.path().to_owned()),
        num_stream_threads: 2,
        ..config(name, 1)
    };
    take_over(on("a", &here), on("b", &there))
}

#[test]
fn without_standbys_nobody_keeps_anything_warm() -> Tested {
    let (log, topology) = (in_and_out(PARTITIONS), counting());
    let (first, second) = (
        Streams::start(&topology, config("a", 0), log.clone())?,
        Streams::start(&topology, config("b", 0), log.clone())?,
    );
    wait_until("two share", || running(&first) == 2 && running(&second) == 2);
    count(&log);
    wait_until("they know of each other", || first.metadata().len() == 2);
    assert_eq!((standing_by(&first), standing_by(&second)), (0, 0));
    assert_eq!(all(&first).len() + all(&second).len(), KEYS as usize);
    Ok(())
}

#[test]
fn an_address_that_is_none_is_a_mistake() {
    for address in ["example", "example:0", "http://example:80", "a b:80", ":80"] {
        let config = StreamsConfig { application_server: Some(address.to_owned()), ..config("a", 0) };
        let error =
            Streams::start(&counting(), config, in_and_out(PARTITIONS)).err().expect("it must not start").to_string();
        assert!(error.contains("application_server must be host:port"), "{error}");
    }
}
