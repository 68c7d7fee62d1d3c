//! Stream time by key: measures how much a million silent keys slow down a thousand active keys.
//!
//! Each silent key has an open window, which waits for the idle time of its key. The result is the CPU time per record of
//! active keys, including ticks and commits, with and without silent keys.

mod common;

use std::time::Duration;

use common::{BenchResult, load, report::Report};
use tidemill::{
    EmitStrategy, StreamsBuilder, StreamsConfig, TimeWindows, Topology,
    testing::InlineStreams,
    transport::embedded::{EmbeddedLog, Entry},
};

const SILENT: usize = 1_000_000;
const ACTIVE: usize = 1_000;
const RECORDS: usize = 2_000_000;
const RUNS: usize = 3;

fn main() -> BenchResult<()> {
    let mut report = Report::default();
    for _ in 0..RUNS {
        for silent in [0, load(SILENT)] {
            run(&mut report, silent)?;
        }
    }
    report.print();
    Ok(())
}

fn run(report: &mut Report, silent: usize) -> BenchResult<()> {
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    log.create("out", 1)?;
    let mut app = InlineStreams::start(&topology()?, StreamsConfig::new("keys"), log.clone())?;
    log.append("in", 0, (0..silent).map(|key| Entry::new(format!("silent-{key}"), "x", 0)))?;
    app.run_until_caught_up()?;
    let records = load(RECORDS);
    let active = (0..records).map(|at| Entry::new(format!("key-{}", at % ACTIVE), "x", at as i64 / 50));
    log.append("in", 0, active)?;
    let name = format!("{ACTIVE} keys beside {silent} silent ones");
    report.measure(&name, records as u64, || app.run_until_caught_up()).1?;
    Ok(())
}

/// Counts in windows of five seconds. A key's last window closes after an hour without records.
fn topology() -> BenchResult<Topology> {
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(5)).event_time_by_key();
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_hours(1));
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").group_by_key();
    grouped.windowed_by(windows).emit(emit).count("counts").to_stream().to("out");
    Ok(builder.build()?)
}
