//! What is killed: a topology, and input that is a function of a seed.
//!
//! Input comes in portions: a portion is appended when the one before is processed. Within a portion threads may
//! interleave as they like, so the grace of windows covers a portion's whole disorder; then no record is ever late.

use std::{path::Path, time::Duration};

use tidemill::{
    StreamsConfig, Topology, TopologyError,
    transport::{
        TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

pub(crate) const PARTITIONS: i32 = 3;
/// Records of one partition in one portion.
pub(crate) const PORTION: i64 = 100;
/// Event time of a portion.
pub(crate) const SPAN_MS: i64 = 10_000;
/// How far a record may be out of order.
pub(crate) const DISORDER_MS: i64 = 6_000;

/// An application that is killed.
pub(crate) struct Workload {
    /// Its application id.
    pub(crate) app: &'static str,
    /// The topics that its tasks read.
    pub(crate) inputs: &'static [&'static str],
    /// The topics of its global tables.
    pub(crate) globals: &'static [&'static str],
    /// The topics between its tasks.
    pub(crate) internal: &'static [&'static str],
    pub(crate) outputs: &'static [&'static str],
    /// Stores on disk, of all tasks.
    pub(crate) stores: usize,
    pub(crate) topology: fn() -> Result<Topology, TopologyError>,
    /// A record's key and value.
    pub(crate) record: fn(&Place) -> (String, String),
}

/// Where a record is.
pub(crate) struct Place<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) index: i64,
    /// A number of its own.
    pub(crate) random: u64,
    /// Whether it only closes windows.
    pub(crate) is_last: bool,
}

/// A workload and its input.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) of: &'static Workload,
    pub(crate) seed: u64,
    /// Portions of data. One more, far in the future, closes all their windows.
    pub(crate) portions: i64,
}

impl Work {
    pub(crate) fn create_topics(&self, log: &EmbeddedLog) -> Result<(), TransportError> {
        self.fed().chain(self.of.outputs).try_for_each(|topic| log.create(topic, PARTITIONS))
    }

    pub(crate) fn config(&self, state: &Path) -> StreamsConfig {
        StreamsConfig {
            num_stream_threads: 2,
            commit_interval: Duration::from_millis(5),
            poll_timeout: Duration::from_millis(5),
            max_buffered_records: 50,
            // So little that stores flush now and then: restarts find checkpoints of every age.
            store_memory_bytes: 2 << 20,
            state_dir: Some(state.to_owned()),
            ..StreamsConfig::new(self.of.app)
        }
    }

    /// All portions, with the last one.
    pub(crate) fn all_portions(&self) -> i64 {
        self.portions + 1
    }

    /// Records of one portion in all input partitions.
    pub(crate) fn portion_records(&self) -> i64 {
        PORTION * i64::from(PARTITIONS) * self.of.inputs.len() as i64
    }

    /// How many portions are appended in full.
    pub(crate) fn portions_fed(&self, log: &EmbeddedLog) -> Result<i64, TransportError> {
        let mut fed = self.all_portions();
        for topic in self.fed() {
            fed = log.end_offsets(topic)?.into_iter().fold(fed, |fed, end| fed.min(end / PORTION));
        }
        Ok(fed)
    }

    /// Appends what is missing of the next portion: an earlier process may have died half way.
    pub(crate) fn feed(&self, log: &EmbeddedLog) -> Result<(), TransportError> {
        let end = (self.portions_fed(log)? + 1) * PORTION;
        for topic in self.fed() {
            for (partition, from) in (0..).zip(log.end_offsets(topic)?) {
                log.append(topic, partition, (from..end).map(|index| self.entry(topic, partition, index)))?;
            }
        }
        Ok(())
    }

    /// The record at an offset of an input partition.
    pub(crate) fn entry(&self, topic: &str, partition: i32, index: i64) -> Entry {
        let place = u64::from(topic.as_bytes()[0]) << 48 | (partition as u64) << 40 | index as u64;
        let random = mix(self.seed ^ mix(place));
        let timestamp = if self.is_data(index) {
            let on_time = index * SPAN_MS / PORTION;
            (on_time - (random >> 16) as i64 % DISORDER_MS).max(0)
        } else {
            (self.portions + 10) * SPAN_MS
        };
        let (key, value) = (self.of.record)(&Place { topic, partition, index, random, is_last: !self.is_data(index) });
        Entry::new(key, value, timestamp)
    }

    /// Whether a record is none of the last portion.
    fn is_data(&self, index: i64) -> bool {
        index < PORTION * self.portions
    }

    /// Every record of a topic, partition by partition.
    pub(crate) fn all<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = Entry> + 'a {
        places(self.all_portions()).map(move |(partition, index)| self.entry(topic, partition, index))
    }

    /// As [`all`](Self::all), without the last portion.
    pub(crate) fn data<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = Entry> + 'a {
        places(self.portions).map(move |(partition, index)| self.entry(topic, partition, index))
    }

    /// What a portion is appended to. What a stream may look up comes first.
    fn fed(&self) -> impl Iterator<Item = &&'static str> {
        self.of.globals.iter().chain(self.of.inputs)
    }
}

/// Every place of so many portions, partition by partition.
fn places(portions: i64) -> impl Iterator<Item = (i32, i64)> {
    (0..PARTITIONS).flat_map(move |partition| (0..PORTION * portions).map(move |index| (partition, index)))
}

/// `SplitMix64`.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
