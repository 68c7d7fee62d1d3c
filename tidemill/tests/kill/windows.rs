//! Windows over two streams, collected and counted: the right output is unique, as no record is ever late.

use std::{thread, time::Duration};

use tidemill::{Cogrouped, EmitStrategy, StreamsBuilder, TimeWindows, Topology, TopologyError};

use crate::workload::{DISORDER_MS, PARTITIONS, Place, SPAN_MS, Workload};

pub(crate) const OUTPUTS: [&str; 4] = ["talk", "user-counts", "user-chats", "late"];
pub(crate) const WINDOW_MS: i64 = 4_000;

pub(crate) const WINDOWS: Workload = Workload {
    app: "killed",
    inputs: &["chat", "speech"],
    globals: &[],
    internal: &["killed-by-user-repartition"],
    outputs: &OUTPUTS,
    stores: 4 * PARTITIONS as usize,
    topology,
    record,
};

/// Chats and speech in common windows; chats counted and collected by user, behind a repartition topic.
fn topology() -> Result<Topology, TopologyError> {
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

fn record(Place { topic, partition, index, random, is_last }: &Place<'_>) -> (String, String) {
    // Users of their own, so that every partition behind the repartition topic gets some of the last.
    let user = if *is_last { format!("last-{index}") } else { format!("user-{}", (random >> 8) % 20) };
    (format!("channel-{partition}-{}", random % 4), format!("{user} {topic}-{partition}-{index}"))
}

pub(crate) fn user_of(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}
