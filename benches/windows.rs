//! Measures windowed count and collect: records per second through the whole pipeline with one stream thread.
//!
//! Each record is consumed, counted or collected, and written to a changelog. Exactly-once commits run every 100 ms.
//! Criterion measures wall time. A table shows the CPU time per record; its inverse is the throughput of one core.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{
    BenchResult, criterion,
    input::{Frames, STREAMS, chats, frames},
    load,
    pipeline::{Backend, Pipeline},
    report::Report,
};
use criterion::{Criterion, SamplingMode, Throughput};
use tidemill::{EmitStrategy, StreamsBuilder, TimeWindows, Topology};

const CHATS: usize = 1_000_000;

/// One stream time for all keys of a partition, and one stream time for each key.
const TIMES: [(bool, &str); 2] = [(false, ""), (true, "-by-key")];

fn main() -> BenchResult<()> {
    let (mut criterion, mut report) = (criterion(), Report::default());
    for partitions in [1, 4] {
        let mut chats = Pipeline::new(partitions, chats(load(CHATS)))?;
        for (emit, name) in [(EmitStrategy::on_window_close(), "final"), (EmitStrategy::on_window_update(), "update")] {
            for (by_key, time) in TIMES {
                let name = format!("count-{name}{time}/{partitions}p");
                bench(&mut criterion, &mut report, &name, load(CHATS), &mut chats, &counting(emit, by_key)?);
            }
        }
    }
    for partitions in [1, 4] {
        for elements in [15, 150] {
            // At least three windows, and the grace of the last one.
            let records = load((elements * 10 / 3).max(200) * STREAMS).max(30 * STREAMS);
            let input = frames(Frames { records, per_second: elements / 3 });
            let mut frames = Pipeline::new(partitions, input)?;
            for (by_key, time) in TIMES {
                let name = format!("collect-{elements}{time}/{partitions}p");
                bench(&mut criterion, &mut report, &name, records, &mut frames, &collecting(by_key)?);
            }
        }
    }
    criterion.final_summary();
    report.print();
    Ok(())
}

fn bench(
    criterion: &mut Criterion,
    report: &mut Report,
    name: &str,
    records: usize,
    pipeline: &mut Pipeline,
    topology: &Topology,
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(records as u64)).sampling_mode(SamplingMode::Flat);
    for backend in Backend::BOTH {
        let row = format!("{name}/{}", backend.name());
        group.bench_function(backend.name(), |bencher| {
            bencher.iter_custom(|runs| (0..runs).map(|_| pipeline.run(report, &row, backend, topology)).sum());
        });
    }
    group.finish();
}

/// One-minute windows with five seconds of grace.
fn counting(emit: EmitStrategy, by_key: bool) -> BenchResult<Topology> {
    let windows = timed(TimeWindows::of_size_and_grace(Duration::from_mins(1), Duration::from_secs(5)), by_key);
    let builder = StreamsBuilder::new();
    let chats = builder.stream::<String, Bytes>("in").group_by_key();
    chats.windowed_by(windows).emit(emit).count("counts").to_stream().to("out");
    Ok(builder.build()?)
}

fn timed(windows: TimeWindows, by_key: bool) -> TimeWindows {
    if by_key { windows.event_time_by_key() } else { windows }
}

/// Three-second windows with one second of grace.
fn collecting(by_key: bool) -> BenchResult<Topology> {
    let windows = timed(TimeWindows::of_size_and_grace(Duration::from_secs(3), Duration::from_secs(1)), by_key);
    let builder = StreamsBuilder::new();
    builder.stream::<String, Bytes>("in").group_by_key().windowed_by(windows).collect("frames").to("out");
    Ok(builder.build()?)
}
