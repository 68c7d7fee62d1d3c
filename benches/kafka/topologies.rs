//! The topologies of Tidemill. Kafka Streams' program has a topology of the same name for each.

use std::time::Duration;

use bytes::Bytes;
use tidemill::{EmitStrategy, JoinWindows, KStream, KTable, StreamsBuilder, TimeWindows, Topology, Windowed};

use crate::{
    BenchResult,
    data::SEGMENTS,
    tables,
    values::{framed, inner, with},
};

pub(crate) const WORKLOADS: [&str; 14] = [
    "pass",
    "count-update",
    "count-final",
    "join",
    "pose-final",
    "session-count",
    "sliding-count",
    "suppress",
    "table-group",
    "table-join",
    "foreign-key",
    "global-join",
    "as-of-join",
    "cogroup",
];

/// The topology of a workload. `cache_max_bytes` is for each cache of tables and their aggregates.
pub(crate) fn named(workload: &str, input: &str, output: &str, cache_max_bytes: usize) -> BenchResult<Topology> {
    let builder = StreamsBuilder::new();
    if tables::add(&builder, workload, [input, output], cache_max_bytes) {
        return Ok(builder.build()?);
    }
    let stream = builder.stream::<Bytes, Bytes>(input);
    match workload {
        "pass" => stream.to(output),
        "count-update" => {
            inner(&count(&stream, EmitStrategy::on_window_update()).to_stream().drop_null_values()).to(output);
        }
        "count-final" => {
            inner(&count(&stream, EmitStrategy::on_window_close()).to_stream().drop_null_values()).to(output);
        }
        "join" => {
            let windows = JoinWindows::of_time_difference_and_grace(Duration::from_millis(500), Duration::from_secs(1));
            let segments = builder.stream::<Bytes, Bytes>(SEGMENTS);
            segments.left_join_stream(&stream, windows, "join", |_, segment, chat| with(segment, chat)).to(output);
        }
        "pose-final" => {
            let windows = TimeWindows::of_size_and_grace(Duration::from_secs(3), Duration::from_secs(1));
            inner(&stream.group_by_key().windowed_by(windows).collect("frames")).map_values(framed).to(output);
        }
        // A table of the last value of each key, for the restore benchmark.
        "table" => stream.group_by_key().reduce("table", |_, latest| latest).to_stream().to(output),
        _ => return Err(format!("no workload is named {workload}").into()),
    }
    Ok(builder.build()?)
}

/// One-minute windows with five seconds of grace.
fn count(stream: &KStream<Bytes, Bytes>, emit: EmitStrategy) -> KTable<Windowed<Bytes>, i64> {
    let windows = TimeWindows::of_size_and_grace(Duration::from_mins(1), Duration::from_secs(5));
    stream.group_by_key().windowed_by(windows).emit(emit).count("counts")
}
