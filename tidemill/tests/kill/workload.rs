//! The topology that is killed, and input that is a function of a seed.
//!
//! Input comes in portions: a portion is appended when the one before is processed. Within a portion threads may
//! interleave as they like, so the grace covers a portion's whole disorder; then no record is ever late, and the right
//! output is unique.

use std::{path::Path, thread, time::Duration};

use tidemill::{
    Cogrouped, EmitStrategy, StreamsBuilder, StreamsConfig, TimeWindows, Topology, TopologyError,
    transport::{
        TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

pub(crate) const APP: &str = "killed";
pub(crate) const INPUTS: [&str; 2] = ["chat", "speech"];
pub(crate) const REPARTITION: &str = "killed-by-user-repartition";
pub(crate) const OUTPUTS: [&str; 4] = ["talk", "user-counts", "user-chats", "late"];
pub(crate) const PARTITIONS: i32 = 3;
/// On disk, of all tasks.
pub(crate) const STORES: usize = 4 * PARTITIONS as usize;

/// Records of one partition in one portion.
pub(crate) const PORTION: i64 = 100;
/// Portions of data. One more, far in the future, closes all their windows.
pub(crate) const PORTIONS: i64 = 60;
pub(crate) const ALL_PORTIONS: i64 = PORTIONS + 1;
/// Records of one portion in all input partitions.
pub(crate) const PORTION_RECORDS: i64 = PORTION * PARTITIONS as i64 * INPUTS.len() as i64;

/// Event time of a portion.
const SPAN_MS: i64 = 10_000;
/// How far a record may be out of order.
const DISORDER_MS: i64 = 6_000;
pub(crate) const WINDOW_MS: i64 = 4_000;

pub(crate) fn create_topics(log: &EmbeddedLog) -> Result<(), TransportError> {
    INPUTS.iter().chain(&OUTPUTS).try_for_each(|topic| log.create(topic, PARTITIONS))
}

/// Chats and speech in common windows; chats counted and collected by user, behind a repartition topic.
pub(crate) fn topology() -> Result<Topology, TopologyError> {
    let windows = TimeWindows::of_size_and_grace(
        Duration::from_millis(WINDOW_MS as u64),
        Duration::from_millis((SPAN_MS + DISORDER_MS) as u64),
    );
    let builder = StreamsBuilder::new();
    // Slow enough that a kill finds records half way through.
    let chat = builder.stream::<String, String>("chat").peek(|_, _| thread::sleep(Duration::from_micros(20)));
    let speech = builder.stream::<String, String>("speech");

    let mut chats = chat.group_by_key().windowed_by(windows);
    chats.late_records().to("late");
    let mut speeches = speech.group_by_key().windowed_by(windows);
    speeches.late_records().to("late");
    let both = |Cogrouped { left, right }: Cogrouped<String, String>| format!("{left:?} {right:?}");
    chats.cogroup(speeches).collect("chats", "speeches").map_values(both).to("talk");

    let by_user = chat.select_key(|_, text| user_of(text).to_owned()).repartition("by-user");
    let mut counted = by_user.group_by_key().windowed_by(windows).emit(EmitStrategy::on_window_close());
    counted.late_records().to("late");
    counted.count("counts").to_stream().to("user-counts");
    let mut collected = by_user.group_by_key().windowed_by(windows);
    collected.late_records().to("late");
    // Several input partitions feed a user's: which of their records comes first is open.
    let sorted = |mut texts: Vec<String>| {
        texts.sort_unstable();
        texts
    };
    collected.collect("texts").map_values(sorted).to("user-chats");
    builder.build()
}

pub(crate) fn config(state: &Path) -> StreamsConfig {
    StreamsConfig {
        num_stream_threads: 2,
        commit_interval: Duration::from_millis(5),
        poll_timeout: Duration::from_millis(5),
        max_buffered_records: 50,
        // So little that stores flush now and then: restarts find checkpoints of every age.
        store_memory_bytes: 2 << 20,
        state_dir: Some(state.to_owned()),
        ..StreamsConfig::new(APP)
    }
}

/// How many portions are appended in full.
pub(crate) fn portions_fed(log: &EmbeddedLog) -> Result<i64, TransportError> {
    let mut fed = ALL_PORTIONS;
    for topic in INPUTS {
        fed = log.end_offsets(topic)?.into_iter().fold(fed, |fed, end| fed.min(end / PORTION));
    }
    Ok(fed)
}

/// Appends what is missing of the next portion: an earlier process may have died half way.
pub(crate) fn feed(log: &EmbeddedLog, seed: u64) -> Result<(), TransportError> {
    let end = (portions_fed(log)? + 1) * PORTION;
    for topic in INPUTS {
        for (partition, from) in (0..).zip(log.end_offsets(topic)?) {
            log.append(topic, partition, (from..end).map(|index| entry(seed, topic, partition, index)))?;
        }
    }
    Ok(())
}

/// The record at an offset of an input partition.
pub(crate) fn entry(seed: u64, topic: &str, partition: i32, index: i64) -> Entry {
    let random = mix(seed ^ mix(u64::from(topic.as_bytes()[0]) << 48 | (partition as u64) << 40 | index as u64));
    let channel = format!("channel-{partition}-{}", random % 4);
    let (user, timestamp) = if index < PORTION * PORTIONS {
        let on_time = index * SPAN_MS / PORTION;
        let late_by = (random >> 16) as i64 % DISORDER_MS;
        (format!("user-{}", (random >> 8) % 20), (on_time - late_by).max(0))
    } else {
        // A user of its own each, so that every partition behind the repartition topic gets some.
        (format!("last-{index}"), (PORTIONS + 10) * SPAN_MS)
    };
    Entry::new(channel, format!("{user} {topic}-{partition}-{index}"), timestamp)
}

pub(crate) fn user_of(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// `SplitMix64`.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
