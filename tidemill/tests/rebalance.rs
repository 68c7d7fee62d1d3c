//! Instances come and go under load: nothing is lost, nothing twice, and what stays is not disturbed.

mod common;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use common::{Tested, is_drained, records, wait_until};
use tidemill::{
    Streams, StreamsBuilder, StreamsConfig, TaskState, Topology, partition_for,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    transport::embedded::{EmbeddedLog, Entry},
};

const PARTITIONS: i32 = 6;
const KEYS: i32 = 60;

/// For each partition, the processors that had it, in order.
type Owners = Arc<Mutex<HashMap<i32, Vec<u64>>>>;

/// Fails if a partition comes back to a processor after another one had it: then two owned it at once.
struct Owner {
    id: u64,
    owners: Owners,
}

impl Processor<String, String, String, String> for Owner {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let position = ctx.record_metadata().ok_or("a record has a position")?;
        let mut owners = self.owners.lock().map_err(|_| "another processor panicked")?;
        let owners = owners.entry(position.partition.partition).or_default();
        match owners.iter().position(|owner| *owner == self.id) {
            Some(at) if at + 1 == owners.len() => {}
            Some(_) => return Err(format!("two processors at once: {position}").into()),
            None => owners.push(self.id),
        }
        ctx.forward(record);
        Ok(())
    }
}

fn topology(owners: &Owners) -> Topology {
    let (owners, ids) = (owners.clone(), Arc::new(AtomicU64::new(0)));
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let supplier = move || Owner { id: ids.fetch_add(1, Ordering::SeqCst), owners: owners.clone() };
    // The processor leaves the keys as they are, but cannot promise it: the second topic is there for the types.
    let owned = stream.process::<String, String, _>("owner", &[], supplier);
    owned.repartition("owned").group_by_key().count("counts").to_stream().to("out");
    builder.build().expect("the topology is valid")
}

fn log() -> EmbeddedLog {
    let log = EmbeddedLog::in_memory();
    log.create("in", PARTITIONS).expect("the log is empty");
    log.create("out", PARTITIONS).expect("the log is empty");
    log
}

fn config(name: &str) -> StreamsConfig {
    let (commit_interval, poll_timeout) = (Duration::from_millis(5), Duration::from_millis(5));
    StreamsConfig { client_id: Some(name.into()), commit_interval, poll_timeout, ..StreamsConfig::new("app") }
}

/// Sends until told to stop; returns how many records each key got.
fn load(log: &EmbeddedLog, stop: &Arc<AtomicBool>) -> thread::JoinHandle<BTreeMap<String, i64>> {
    let (log, stop) = (log.clone(), stop.clone());
    thread::spawn(move || {
        let mut sent = BTreeMap::new();
        while !stop.load(Ordering::SeqCst) {
            for number in 0..KEYS {
                let key = format!("key-{number}");
                let partition = partition_for(Some(key.as_bytes()), PARTITIONS);
                log.append("in", partition, [Entry::new(key.clone(), "x", 0)]).expect("the topic exists");
                *sent.entry(key).or_default() += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
        sent
    })
}

/// Whether the instances run so many tasks each.
fn run_tasks(instances: &[&Streams], expect: &[usize]) -> bool {
    let running = |streams: &&Streams| {
        let tasks = streams.status().into_iter().flat_map(|thread| thread.tasks);
        tasks.filter(|task| task.state == TaskState::Running).count()
    };
    instances.iter().map(running).collect::<Vec<_>>() == expect
}

/// Waits until more records are counted than now.
fn goes_on(log: &EmbeddedLog) {
    let counted = || log.end_offsets("out").map_or(0, |ends| ends.iter().sum::<i64>());
    let before = counted();
    wait_until("counting goes on", || counted() > before + 200);
}

/// Every key was counted up from 1 to as many records as were sent, each step once.
fn check_counts(log: &EmbeddedLog, sent: &BTreeMap<String, i64>) {
    let mut counts = BTreeMap::<String, Vec<i64>>::new();
    for (_, key, count) in records::<String, i64>(log, "out") {
        counts.entry(key).or_default().push(count);
    }
    let expect: BTreeMap<_, _> = sent.iter().map(|(key, count)| (key.clone(), (1..=*count).collect())).collect();
    assert!(counts == expect, "counts differ from what was sent");
}

#[test]
fn counts_stay_exact_while_instances_come_and_go() -> Tested {
    let (log, owners, stop) = (log(), Owners::default(), Arc::new(AtomicBool::new(false)));
    let topology = topology(&owners);
    let start = |name| Streams::start(&topology, config(name), log.clone());
    let sender = load(&log, &stop);

    let first = start("a")?;
    wait_until("one runs all", || run_tasks(&[&first], &[12]));
    goes_on(&log);
    let (second, third) = (start("b")?, start("c")?);
    wait_until("three share", || run_tasks(&[&first, &second, &third], &[4, 4, 4]));
    goes_on(&log);
    second.close()?;
    third.close()?;
    wait_until("one runs all again", || run_tasks(&[&first], &[12]));
    goes_on(&log);

    stop.store(true, Ordering::SeqCst);
    let sent = sender.join().map_err(|_| "the sender panicked")?;
    wait_until("all is counted", || is_drained(&log, "app"));
    first.close()?;
    check_counts(&log, &sent);
    let owners = owners.lock().map_err(|_| "a processor panicked")?;
    for partition in 0..2 {
        assert_eq!(owners[&partition].len(), 1, "the first instance kept its share all the time");
    }
    for partition in 2..PARTITIONS {
        assert!(owners[&partition].len() >= 3, "partition {partition} moved and came back");
    }
    Ok(())
}

#[cfg(feature = "rocksdb")]
#[test]
fn tasks_with_state_on_disk_move_between_threads_of_one_instance() -> Tested {
    let (log, stop) = (log(), Arc::new(AtomicBool::new(false)));
    let topology = topology(&Owners::default());
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let start = |name, state: &tempfile::TempDir| {
        let config = StreamsConfig { state_dir: Some(state.path().to_owned()), num_stream_threads: 3, ..config(name) };
        Streams::start(&topology, config, log.clone())
    };
    let sender = load(&log, &stop);
    let first = start("a", &here)?;
    wait_until("one runs all", || run_tasks(&[&first], &[12]));
    for round in 0..4 {
        // With one more member, before and after the others in their order, most partitions change threads.
        let second = start(if round % 2 == 0 { "A" } else { "b" }, &there)?;
        wait_until("two share", || run_tasks(&[&first, &second], &[6, 6]));
        goes_on(&log);
        second.close()?;
        wait_until("one runs all again", || run_tasks(&[&first], &[12]));
        goes_on(&log);
    }
    stop.store(true, Ordering::SeqCst);
    let sent = sender.join().map_err(|_| "the sender panicked")?;
    wait_until("all is counted", || is_drained(&log, "app"));
    first.close()?;
    check_counts(&log, &sent);
    Ok(())
}
