//! A burst: the windows of many streams close in the same moment.

use anyhow::{Result, ensure};
use clap::Parser as _;

use super::{
    connectors::Connector,
    options::Options,
    results::Window,
    site::{Plan, Run, Site},
    table,
};
use crate::report::mib;

/// Number of streams of one connector.
const TOGETHER: usize = 50;

/// Runs the burst without a model, and then with each number of calls at the same time.
pub(super) async fn run(options: &Options) -> Result<()> {
    let mut columns = Vec::new();
    let mut failed = Vec::new();
    for in_flight in std::iter::once(None).chain(options.in_flight.iter().copied().map(Some)) {
        let run = Site::start(plan(options, in_flight)).await?.run().await?;
        let name = in_flight.map_or("offline".to_owned(), |in_flight| format!("in_flight={in_flight}"));
        eprintln!("\n{name}:");
        run.reasons().iter().for_each(|(reason, count)| eprintln!("{count:>8} {reason}"));
        columns.push((name, rows(&run, options)));
        failed.extend(run.check().err());
    }
    let (streams, windows) = (options.streams.unwrap_or(1000), options.windows.unwrap_or(5));
    let title = format!(
        "burst: {streams} streams, {windows} windows of {} s each, model {} ms, {} % errors",
        options.window,
        options.latency_ms,
        100.0 * options.errors
    );
    table::columns(&title, &columns);
    failed.into_iter().next().map_or(Ok(()), Err)
}

/// A small burst, of which only counts are checked.
pub(super) async fn small() -> Result<()> {
    let options = ["load", "burst", "--window=2", "--windows=2", "--streams=30", "--latency-ms=20"];
    let options = Options::parse_from(options);
    let run = Site::start(plan(&options, Some(16))).await?.run().await?;
    run.check()?;
    let by_model = run.windows.iter().filter(|window| window.is_by_model()).count();
    ensure!(run.windows.len() == 60, "60 windows are due, not {}", run.windows.len());
    ensure!(by_model >= 30, "models answered only {by_model} of 60 windows: {:?}", run.reasons());
    eprintln!("60 windows have one result each, {by_model} by a model, after {} calls", run.calls.len());
    Ok(())
}

fn plan(options: &Options, in_flight: Option<usize>) -> Plan {
    let streams: Vec<_> = (0..options.streams.unwrap_or(1000)).map(|at| (at, format!("stream-{at}"))).collect();
    let connector = |streams: &[_]| Connector { token: None, streams: streams.to_vec(), phase_ms: 0 };
    let in_flight_setting = in_flight.map(|in_flight| format!("analyst.in_flight={in_flight}"));
    Plan {
        connectors: streams.chunks(TOGETHER).map(connector).collect(),
        windows: options.windows.unwrap_or(5),
        window_ms: options.window_ms(),
        models: in_flight.map(|_| options.schedule()),
        settings: in_flight_setting.into_iter().chain(options.set.iter().cloned()).collect(),
        file: String::new(),
    }
}

fn rows(run: &Run, options: &Options) -> Vec<(&'static str, String)> {
    let windows = &run.windows;
    let answered: Vec<&Window> = windows.iter().filter(|window| window.results > 0).collect();
    let by_model: Vec<&Window> = answered.iter().copied().filter(|window| window.is_by_model()).collect();
    let attempts: u32 = answered.iter().map(|window| window.provenance.attempts).sum();
    let floors: Vec<i64> = {
        let floors = windows.iter().map(|window| window.closes_ms);
        floors.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    };
    // The first askings, each after the last moment in which windows could close.
    let asked = run.calls.iter().filter(|(_, call)| call.asking == 1);
    let asked = asked.filter_map(|(at_ms, _)| floors.iter().rfind(|floor| *floor <= at_ms).map(|floor| at_ms - floor));
    let outside = by_model.iter().map(|window| window.after_ms() - window.provenance.latency_ms as i64);
    let within = |ms: i64| {
        let count = answered.iter().filter(|window| window.after_ms() <= ms).count();
        format!("{:.2} %", 100.0 * count as f64 / windows.len() as f64)
    };
    let cpu_ms = 1000.0 * run.used.server_s / windows.len() as f64;
    vec![
        ("windows", windows.len().to_string()),
        ("windows without a result", run.missing().to_string()),
        ("windows with more than one", run.twice().to_string()),
        ("answered by the model", by_model.len().to_string()),
        ("drafts instead", (answered.len() - by_model.len()).to_string()),
        ("attempts told by results", attempts.to_string()),
        ("calls at the stand-in", run.calls.len().to_string()),
        ("most at the same time", run.most_at_once.to_string()),
        ("close -> first asking, ms p50/p99/max", table::spread(asked)),
        ("at the stand-in, ms", table::spread(run.calls.iter().map(|(_, call)| call.latency_ms as i64))),
        ("request -> answer (latency_ms)", {
            table::spread(by_model.iter().map(|window| window.provenance.latency_ms as i64))
        }),
        ("close -> request and answer -> page", table::spread(outside)),
        ("close -> result on the page", table::spread(answered.iter().map(|window| window.after_ms()))),
        ("of these, by the model", table::spread(by_model.iter().map(|window| window.after_ms()))),
        ("in one attempt", {
            let once = by_model.iter().filter(|window| window.provenance.attempts == 1);
            table::spread(once.map(|window| window.after_ms()))
        }),
        ("last event -> result", table::spread(answered.iter().map(|window| window.arrived_ms - window.last_ms))),
        ("results within 1.5 s", within(1_500)),
        ("CPU of the server, ms for each window", format!("{cpu_ms:.2}")),
        ("CPU of the server, share of a core", format!("{:.0} %", 100.0 * run.used.server_s / run.used.wall_s)),
        ("memory at most, MiB", mib(run.used.peak_rss).to_string()),
        ("load average", format!("{:.1}", run.load_average())),
        ("window, s", options.window.to_string()),
    ]
}
