//! Measures how fast a store is restored from its changelog: from a log in memory to memory or `RocksDB`.
//!
//! The application starts without state and without input. The measurement ends when the store equals the changelog and
//! the task is ready to run.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{BenchResult, criterion, load, pipeline::Backend, report::Report};
use criterion::{SamplingMode, Throughput};
use tempfile::TempDir;
use tidemill::{
    StreamsBuilder, StreamsConfig, Topology,
    testing::InlineStreams,
    transport::embedded::{EmbeddedLog, Entry},
};

const SMALL: Load = Load { name: "small", rows: 200_000, row_bytes: 50 };
const LARGE: Load = Load { name: "1800-bytes", rows: 100_000, row_bytes: 1800 };
const APP: &str = "bench";

struct Load {
    name: &'static str,
    rows: usize,
    row_bytes: usize,
}

fn main() -> BenchResult<()> {
    let (mut criterion, mut report) = (criterion(), Report::default());
    let topology = topology()?;
    for Load { name, rows, row_bytes } in [SMALL, LARGE] {
        let rows = load(rows);
        let log = EmbeddedLog::in_memory();
        log.create("in", 1)?;
        log.create(&format!("{APP}-table-changelog"), 1)?;
        log.append(&format!("{APP}-table-changelog"), 0, changes(rows, row_bytes))?;
        let mut group = criterion.benchmark_group(format!("restore-{name}"));
        group.throughput(Throughput::Bytes((rows * (row_bytes + 16)) as u64)).sampling_mode(SamplingMode::Flat);
        for backend in Backend::BOTH {
            let row = format!("restore-{name}/{}", backend.name());
            let mut run = || restore(&mut report, &row, rows, backend, &topology, &log).expect("the store is restored");
            group.bench_function(backend.name(), |bencher| {
                bencher.iter_custom(|runs| (0..runs).map(|_| run()).sum());
            });
        }
        group.finish();
    }
    criterion.final_summary();
    report.print();
    Ok(())
}

fn topology() -> BenchResult<Topology> {
    let builder = StreamsBuilder::new();
    builder.stream::<Bytes, Bytes>("in").group_by_key().reduce("table", |_, new| new);
    Ok(builder.build()?)
}

/// Changelog records with different keys in random order, like the keys of a table.
fn changes(rows: usize, row_bytes: usize) -> impl Iterator<Item = Entry> {
    let value = Bytes::from(vec![b'v'; row_bytes]);
    (0..rows as u64).map(move |i| {
        let key = format!("{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Entry::new(key, value.clone(), i as i64)
    })
}

fn restore(
    report: &mut Report,
    name: &str,
    rows: usize,
    backend: Backend,
    topology: &Topology,
    log: &EmbeddedLog,
) -> BenchResult<Duration> {
    let dir = TempDir::new()?;
    let mut config = StreamsConfig::new(APP);
    if matches!(backend, Backend::RocksDb) {
        config.state_dir = Some(dir.path().to_owned());
    }
    let mut app = InlineStreams::start(topology, config, log.clone())?;
    let (wall, status) = report.measure(name, rows as u64, || app.run_until_caught_up());
    assert_eq!(status?.records_restored, rows as u64, "{name}: every change is replayed once");
    Ok(wall)
}
