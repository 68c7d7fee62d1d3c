//! A load test of the applications' server: athletes' pages and streams' chat and speech send events over HTTP, and
//! pages receive results as server-sent events.
//!
//! `make load` runs it for five minutes. `make calls-load` runs loads whose windows go to a stand-in for a model.
//! `cargo test` runs a small load of each and checks that every window has a result.

mod athletes;
mod calls;
mod events;
mod follow;
mod options;
mod process;
mod report;
mod streams;
mod tally;
mod wire;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use tidemill::{Clock as _, SystemClock};

use options::Options;
use process::{Launch, Process};
use tally::{Kind, Tally};

/// The time before the first event is due. Pages and connections open in this time.
const LEAD_MS: i64 = 2_000;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (bench, args): (Vec<_>, Vec<_>) = std::env::args().partition(|arg| arg == "--bench");
    if bench.is_empty() {
        runtime.block_on(run(Options::small()))?;
        return runtime.block_on(calls::small());
    }
    match args.get(1).map(String::as_str) {
        Some("calls") => runtime.block_on(calls::run(args.into_iter().skip(1))),
        _ => runtime.block_on(run(Options::parse_from(args))),
    }
}

async fn run(options: Options) -> Result<()> {
    let launch = Launch { settings: options.settings(), ..Launch::default() };
    let mut process = Process::start(options.url.as_deref(), &launch).await?;
    let tally = Arc::new(Tally::new(&options));
    let pages = follow::all(&options, process.address, &tally)?;
    let start_ms = SystemClock.now_ms() + LEAD_MS;
    let mut senders = athletes::all(&options, process.address, start_ms, &tally)?;
    senders.extend(streams::all(&options, process.address, start_ms, &tally)?);

    tokio::time::sleep(Duration::from_millis(LEAD_MS as u64)).await;
    process.begin()?;
    let watched = process.watch(Duration::from_secs(options.seconds));
    for sender in senders {
        sender.await.context("a sender ended")??;
    }
    let watched = watched.await.context("the watch ended")?;
    let used = process.used()?;
    let is_complete = tally.complete(patience(&options)).await;
    pages.iter().for_each(tokio::task::JoinHandle::abort);

    let end_ms = start_ms + options.seconds as i64 * 1000;
    report::print(&options, &tally, &watched, &used, end_ms);
    ensure!(is_complete, "results are missing, see above");
    ensure!(tally.twice() == 0, "windows have more than one result, see above");
    let refused = |kind: Kind| tally.sent(kind).other;
    ensure!(Kind::ALL.into_iter().map(refused).sum::<u64>() == 0, "requests failed, see above");
    Ok(())
}

/// The time limit for results after the last event. The last windows close only after a silence as long as the windows.
fn patience(options: &Options) -> Duration {
    options.live_window() + options.coach_window() + Duration::from_mins(1)
}
