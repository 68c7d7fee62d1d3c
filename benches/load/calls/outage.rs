//! An outage: the model is away for two minutes. Windows get their drafts, and the model's answers come back by
//! themselves.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::apps::http_client;
use tidemill_model_server::Outage;
use tidemill_schemas::CallOutcome;
use tokio::sync::Mutex;

use super::{
    connectors::Connector,
    options::Options,
    site::{Plan, Run, Site},
    table,
};

/// Number of connectors. The windows of each close at another moment, so that some close in each half second.
const CONNECTORS: usize = 20;
/// Windows before the outage.
const BEFORE: i64 = 5;
/// How long after a window a model may take.
const ANSWER_WITHIN: &str = "live.answer_within=5s";
/// A row of the table.
const ROW_MS: i64 = 10_000;

/// States of the breaker, as metrics tell them, with their times.
type States = Arc<Mutex<Vec<(i64, String)>>>;

pub(super) async fn run(options: &Options) -> Result<()> {
    let mut schedule = options.schedule();
    schedule.outages.clear();
    let streams: Vec<_> = (0..options.streams.unwrap_or(200)).map(|at| (at, format!("stream-{at}"))).collect();
    let together = streams.len().div_ceil(CONNECTORS);
    let apart_ms = (options.window_ms() - 1_500) / CONNECTORS as i64;
    let connectors = streams.chunks(together).enumerate();
    let plan = Plan {
        connectors: connectors
            .map(|(at, streams)| Connector { token: None, streams: streams.to_vec(), phase_ms: at as i64 * apart_ms })
            .collect(),
        windows: options.windows.unwrap_or(27),
        window_ms: options.window_ms(),
        models: Some(schedule),
        settings: [ANSWER_WITHIN.to_owned()].into_iter().chain(options.set.iter().cloned()).collect(),
        file: String::new(),
    };
    let site = Site::start(plan).await?;
    let begins_ms = site.times.first_ms + BEFORE * options.window_ms();
    let ends_ms = begins_ms + options.outage * 1000;
    let outage = Outage { from_ms: site.models_time(begins_ms), to_ms: site.models_time(ends_ms), refuses: true };
    site.models.change(|schedule| schedule.outages = vec![outage]);
    let states = States::default();
    let watch = tokio::spawn(watch(format!("http://{}/metrics", site.process.address), states.clone()));
    let first_ms = site.times.first_ms;
    let run = site.run().await?;
    watch.abort();
    print(&run, &states.lock().await, first_ms, begins_ms, ends_ms);
    run.check()
}

/// Notes the breaker's state twice in a second.
async fn watch(url: String, states: States) -> Result<()> {
    let http = http_client(Duration::from_secs(5))?;
    loop {
        if let Ok(response) = http.get(&url).send().await {
            let text = response.text().await.unwrap_or_default();
            let line =
                text.lines().find(|line| line.starts_with("tidemill_calls_breaker_state") && line.contains("live"));
            let state = match line.and_then(|line| line.rsplit(' ').next()) {
                Some("0") => "closed",
                Some("1") => "half-open",
                Some(_) => "open",
                None => "-",
            };
            states.lock().await.push((SystemClock.now_ms(), state.to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn print(run: &Run, states: &[(i64, String)], first_ms: i64, begins_ms: i64, ends_ms: i64) {
    let second = |ms: i64| (ms - first_ms) / 1000;
    eprintln!(
        "\noutage from {} s to {} s; {} windows, {} without a result, {} with more than one; load average {:.1}",
        second(begins_ms),
        second(ends_ms),
        run.windows.len(),
        run.missing(),
        run.twice(),
        run.load_average()
    );
    eprintln!(
        "{:>6} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9} {:>26} {:>7} {:>10}",
        "from s",
        "windows",
        "model",
        "route off",
        "failed",
        "expired",
        "attempts",
        "ms p50/p99/max",
        "calls",
        "breaker"
    );
    let last_ms = run.windows.iter().map(|window| window.closes_ms).max().unwrap_or(first_ms);
    let mut from_ms = first_ms;
    while from_ms <= last_ms {
        let is_in = |ms: i64| (from_ms..from_ms + ROW_MS).contains(&ms);
        let row: Vec<_> = run.windows.iter().filter(|window| is_in(window.closes_ms) && window.results > 0).collect();
        let count = |is: &dyn Fn(&super::results::Window) -> bool| row.iter().filter(|window| is(window)).count();
        let off = |window: &super::results::Window| window.provenance.reason.starts_with("No model takes calls");
        let failed = |window: &super::results::Window| window.provenance.outcome == CallOutcome::Failed;
        let expired = |window: &super::results::Window| window.provenance.outcome == CallOutcome::Expired;
        let calls = run.calls.iter().filter(|(at_ms, _)| is_in(*at_ms)).count();
        let mut seen: Vec<&str> = states.iter().filter(|(at, _)| is_in(*at)).map(|(_, state)| state.as_str()).collect();
        seen.dedup();
        eprintln!(
            "{:>6} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9} {:>26} {:>7} {:>10}",
            second(from_ms),
            row.len(),
            count(&|window| window.is_by_model()),
            count(&off),
            count(&|window| failed(window) && !off(window)),
            count(&expired),
            row.iter().map(|window| window.provenance.attempts).sum::<u32>(),
            table::spread(row.iter().map(|window| window.after_ms())),
            calls,
            seen.join(",")
        );
        from_ms += ROW_MS;
    }
    let during = run.windows.iter().filter(|window| (begins_ms..ends_ms).contains(&window.closes_ms));
    let during: Vec<_> = during.map(super::results::Window::after_ms).collect();
    let first = run.windows.iter().filter(|window| window.is_by_model() && window.arrived_ms >= ends_ms);
    let first = first.map(|window| window.arrived_ms).min();
    let p99 = table::percentile(during, 0.99);
    eprintln!("p99 of windows that closed in the outage: {} ms", p99.map_or("-".to_owned(), |ms| ms.to_string()));
    eprintln!(
        "the first answer of the model after the outage: {}",
        first.map_or("none".to_owned(), |ms| format!("{:.1} s after its end", (ms - ends_ms) as f64 / 1000.0))
    );
    eprintln!("(calls that found a closed port are not in the stand-in's count)");
    run.reasons().iter().for_each(|(reason, count)| eprintln!("{count:>8} {reason}"));
}
