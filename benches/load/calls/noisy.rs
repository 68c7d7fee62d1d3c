//! A noisy tenant: its many windows close at once. The windows of the others must not wait for them.

use anyhow::Result;
use std::fmt::Write as _;

use super::{
    connectors::Connector,
    options::Options,
    results::Window,
    site::{Plan, Run, Site},
    table,
};

/// Number of tenants with one stream each.
const QUIET: usize = 99;

/// Runs the quiet tenants alone, and then beside the noisy one.
pub(super) async fn run(options: &Options) -> Result<()> {
    let alone = Site::start(plan(options, 0)).await?.run().await?;
    let streams = options.streams.unwrap_or(400);
    let beside = Site::start(plan(options, streams)).await?.run().await?;
    let title = format!(
        "noisy: {QUIET} tenants with one stream each, one with {streams}; analyst.in_flight=16, model {} ms",
        options.latency_ms
    );
    let columns = [
        ("quiet alone".to_owned(), &alone, false),
        ("quiet".to_owned(), &beside, false),
        ("noisy".to_owned(), &beside, true),
    ];
    table::columns(&title, &columns.map(|(name, run, noisy)| (name, rows(run, noisy))));
    // A silent stream's window may close by itself, before the event that would close it. The requests tell more.
    let at = |run: &Run, part: f64| table::percentile(latencies(run, false), part).unwrap_or(0) as f64;
    eprintln!(
        "quiet tenants' request -> answer, beside the noisy one / alone: p50 x {:.2}, p99 x {:.2}",
        at(&beside, 0.5) / at(&alone, 0.5),
        at(&beside, 0.99) / at(&alone, 0.99)
    );
    alone.check()?;
    beside.check()
}

fn plan(options: &Options, noisy: usize) -> Plan {
    let token = |tenant: &str| format!("token-of-{tenant}-{}", "x".repeat(20));
    // The windows of quiet tenants close over the whole time, those of the noisy one all at once.
    let apart_ms = (options.window_ms() - 1_500) / QUIET as i64;
    let mut connectors = Vec::new();
    let mut file = String::new();
    let mut tenant = |name: &str, streams: Vec<(usize, String)>, phase_ms: i64| {
        if !streams.is_empty() {
            let (token, ids) = (token(name), format!("{name}-*"));
            let _ = write!(file, "[[tenant]]\nname = \"{name}\"\ntoken = \"{token}\"\nstreams = [\"{ids}\"]\n\n");
            connectors.push(Connector { token: Some(token), streams, phase_ms });
        }
    };
    for at in 0..QUIET {
        tenant(&format!("quiet{at}"), vec![(at, format!("quiet{at}-stream"))], at as i64 * apart_ms);
    }
    tenant("noisy", (0..noisy).map(|at| (QUIET + at, format!("noisy-{at}"))).collect(), 0);
    Plan {
        connectors,
        windows: options.windows.unwrap_or(4),
        window_ms: options.window_ms(),
        models: Some(options.schedule()),
        settings: ["analyst.in_flight=16".to_owned()].into_iter().chain(options.set.iter().cloned()).collect(),
        file,
    }
}

fn answered(run: &Run, noisy: bool) -> impl Iterator<Item = &Window> {
    run.windows.iter().filter(move |window| (window.stream >= QUIET) == noisy && window.results > 0)
}

fn latencies(run: &Run, noisy: bool) -> Vec<i64> {
    answered(run, noisy).map(|window| window.provenance.latency_ms as i64).collect()
}

fn rows(run: &Run, noisy: bool) -> Vec<(&'static str, String)> {
    let windows: Vec<_> = run.windows.iter().filter(|window| (window.stream >= QUIET) == noisy).collect();
    vec![
        ("windows", windows.len().to_string()),
        ("answered by the model", windows.iter().filter(|window| window.is_by_model()).count().to_string()),
        ("close -> result on the page, ms p50/p99/max", table::spread(answered(run, noisy).map(Window::after_ms))),
        ("request -> answer (latency_ms)", table::spread(latencies(run, noisy).into_iter())),
        ("most calls at the same time", run.most_at_once.to_string()),
        ("CPU of the server, share of a core", format!("{:.0} %", 100.0 * run.used.server_s / run.used.wall_s)),
        ("load average", format!("{:.1}", run.load_average())),
    ]
}
