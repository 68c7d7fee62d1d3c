//! What the tests share.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod calls;
pub(crate) mod executors;
pub(crate) mod not_bad;

use std::time::{Duration, Instant};

use tidemill::{
    Streams, StreamsBuilder, TaskState, Topology, Window, Windowed,
    state::{Codec, Coded},
    testing::TopologyTestDriver,
    transport::embedded::EmbeddedLog,
};

/// A driver of what was built, one partition a topic.
pub(crate) fn driver(builder: &StreamsBuilder) -> TopologyTestDriver {
    TopologyTestDriver::new(&builder.build().expect("the topology is valid")).expect("the driver starts")
}

/// A windowed key.
pub(crate) fn windowed(key: &str, start: i64, end: i64) -> Windowed<String> {
    Windowed { key: key.to_owned(), window: Window { start, end } }
}

/// What a test returns.
pub(crate) type Tested<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Owned strings.
pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Waits for what threads will bring about. The limit is for a test that fails.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_mins(1), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a group has committed everything that its topics hold.
pub(crate) fn is_drained(log: &EmbeddedLog, group: &str) -> bool {
    let lags = log.group_lag(group);
    !lags.is_empty() && lags.iter().all(|partition| partition.lag == 0)
}

/// Every record of a topic: partition, key, value.
pub(crate) fn records<K: Coded, V: Coded>(log: &EmbeddedLog, topic: &str) -> Vec<(i32, K, V)> {
    let decoded = log.read_all(topic).expect("the topic exists").into_iter().map(|(partition, record)| {
        let key = K::Codec::default().decode_opt(record.key).expect("the key decodes");
        let value = V::Codec::default().decode_opt(record.value).expect("the value decodes");
        (partition, key, value)
    });
    decoded.collect()
}

/// `in` → counts by key, in the store `counts` → `out`.
pub(crate) fn counting() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
    builder.build().expect("the topology is valid")
}

/// A log with empty topics `in` and `out`.
pub(crate) fn in_and_out(partitions: i32) -> EmbeddedLog {
    let log = EmbeddedLog::in_memory();
    log.create("in", partitions).expect("the log is empty");
    log.create("out", partitions).expect("the log is empty");
    log
}

fn tasks(streams: &Streams, is_it: impl Fn(&TaskState) -> bool) -> usize {
    streams.status().iter().flat_map(|thread| &thread.tasks).filter(|task| is_it(&task.state)).count()
}

/// The number of tasks that an instance runs.
pub(crate) fn running(streams: &Streams) -> usize {
    tasks(streams, |state| *state == TaskState::Running)
}

/// The number of tasks that an instance keeps a standby of.
pub(crate) fn standing_by(streams: &Streams) -> usize {
    tasks(streams, |state| matches!(state, TaskState::Standby { .. }))
}
