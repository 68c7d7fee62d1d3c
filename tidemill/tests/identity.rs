//! What tells instances of an application apart: not the names that their users gave them.

mod common;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use common::{Tested, counting, in_and_out, is_drained, running, standing_by, wait_until};
use tidemill::{
    Streams, StreamsConfig,
    transport::{
        Admin, Consumer, ConsumerConfig, Producer, ProducerConfig, Reader, Transport, TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

const PARTITIONS: i32 = 4;

/// Every instance has the same client id.
fn config(address: &str) -> StreamsConfig {
    StreamsConfig {
        client_id: Some("twin".into()),
        application_server: Some(address.into()),
        num_standby_replicas: 1,
        commit_interval: Duration::from_millis(5),
        poll_timeout: Duration::from_millis(5),
        ..StreamsConfig::new("app")
    }
}

#[test]
fn instances_of_one_client_id_share_the_work_and_do_not_fence_each_other() -> Tested {
    let (log, topology) = (in_and_out(PARTITIONS), counting());
    let start = |address| Streams::start(&topology, config(address), log.clone());
    let twins = [start("one:80")?, start("two:80")?];
    wait_until("two share", || twins.iter().all(|one| running(one) == 2));
    for number in 0..100 {
        for partition in 0..PARTITIONS {
            log.append("in", partition, [Entry::new(format!("key-{partition}"), "x", number)])?;
        }
    }
    wait_until("all are counted", || is_drained(&log, "app"));
    let fenced: Vec<_> = twins.iter().map(|one| one.status().iter().map(|thread| thread.fenced).sum::<u64>()).collect();
    assert_eq!(fenced, [0, 0]);
    Ok(())
}

#[test]
fn instances_of_one_client_id_know_of_each_other() -> Tested {
    let (log, topology) = (in_and_out(PARTITIONS), counting());
    let start = |address| Streams::start(&topology, config(address), log.clone());
    let twins = [start("one:80")?, start("two:80")?];
    wait_until("each keeps the other's tasks warm", || twins.iter().all(|one| standing_by(one) == 2));
    wait_until("each knows of that", || {
        twins.iter().all(|one| one.metadata().iter().all(|member| member.standby_tasks.len() == 2))
    });
    for one in &twins {
        let members = one.metadata();
        let names: Vec<_> =
            members.iter().map(|member| (&*member.host.instance, member.host.address.as_deref())).collect();
        assert_eq!(names, [("twin", Some("one:80")), ("twin", Some("two:80"))]);
        assert_eq!(members.iter().filter(|member| member.host.is_here).count(), 1);
    }
    for number in 0..20 {
        let places = twins.iter().map(|one| one.query_metadata_for_key("counts", &format!("key-{number}")));
        let places: Vec<_> = places.collect::<Result<_, _>>()?;
        let owners = places.iter().map(|place| place.active.clone().expect("it has an owner"));
        let owners: Vec<_> = owners.map(|host| (host.address, host.is_here)).collect();
        assert_eq!(owners[0].0, owners[1].0, "both name the same owner");
        assert_ne!(owners[0].1, owners[1].1, "it is one of the two");
        assert!(
            places.iter().all(|place| place.standbys.len() == 1 && place.active != Some(place.standbys[0].clone()))
        );
    }
    Ok(())
}

/// A log that notes the transactional ids of its producers.
#[derive(Clone)]
struct Noting {
    log: EmbeddedLog,
    ids: Arc<Mutex<BTreeSet<String>>>,
}

impl Transport for Noting {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        self.log.consumer(config)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.log.reader()
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).extend(config.transactional_id.clone());
        self.log.producer(config)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

/// The transactional ids that an instance uses, from its start to its end.
fn ids_of_a_life(config: StreamsConfig) -> Tested<BTreeSet<String>> {
    let noting = Noting { log: in_and_out(PARTITIONS), ids: Arc::default() };
    let config = StreamsConfig { num_stream_threads: 2, ..config };
    Streams::start(&counting(), config, noting.clone())?.close()?;
    let ids = noting.ids.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(ids.len(), 2, "each thread has its own: {ids:?}");
    assert!(ids.iter().all(|id| id.starts_with("app-")), "rights are given by the application id: {ids:?}");
    Ok(ids)
}

#[test]
fn transactional_ids_are_new_in_each_life_without_a_state_folder() -> Tested {
    for group_instance_id in [None, Some("pod-7".to_owned())] {
        let life = || ids_of_a_life(StreamsConfig { group_instance_id: group_instance_id.clone(), ..config("one:80") });
        let lives = [life()?, life()?];
        assert!(lives[0].is_disjoint(&lives[1]), "{lives:?}");
    }
    Ok(())
}

#[cfg(feature = "rocksdb")]
#[test]
fn whoever_has_the_state_folder_takes_the_transactions_of_its_last_life_over() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let on = |folder: &tempfile::TempDir| StreamsConfig {
        state_dir: Some(folder.path().to_owned()),
        client_id: None,
        ..config("one:80")
    };
    let first = ids_of_a_life(on(&here))?;
    assert_eq!(ids_of_a_life(on(&here))?, first);
    assert!(ids_of_a_life(on(&there))?.is_disjoint(&first));
    Ok(())
}
