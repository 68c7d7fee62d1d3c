//! Kills a running application and starts it again.
//!
//! `cargo run --release -p tidemill --example crash_and_resume`
//!
//! The application is this program, run a second time as a process of its own, and killed with SIGKILL: nothing is
//! flushed, nothing is closed. Its successor continues from the last commit, and the output is as if nothing had
//! happened.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use tidemill::{
    Streams, StreamsBuilder, StreamsConfig,
    transport::embedded::{EmbeddedLog, Entry},
};

const ORDERS: i64 = 10_000;

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Done {
    if let Some(folder) = env::args_os().nth(1) {
        return application(Path::new(&folder));
    }
    let (undisturbed, killed) = (tempfile::tempdir()?, tempfile::tempdir()?);
    println!("undisturbed: {} results", run(undisturbed.path(), None)?);
    for results in [2_000, 5_000, 8_000] {
        println!("killed after {} results", run(killed.path(), Some(results))?);
    }
    println!("resumed: {} results", run(killed.path(), None)?);
    let same = totals(undisturbed.path())? == totals(killed.path())?;
    println!("{}", if same { "the outputs are equal: nothing lost, nothing twice" } else { "the outputs differ" });
    if same { Ok(()) } else { Err("a crash changed the output".into()) }
}

/// Runs the application as a process, and kills it when it has written so many results.
fn run(folder: &Path, kill_after: Option<i64>) -> Done<i64> {
    let mut process = Command::new(env::current_exe()?).arg(folder).stdout(Stdio::piped()).spawn()?;
    for line in BufReader::new(process.stdout.take().ok_or("no pipe")?).lines() {
        let written: i64 = line?.parse()?;
        if kill_after.is_some_and(|results| written >= results) {
            process.kill()?;
        }
    }
    process.wait()?;
    Ok(totals(folder)?.len() as i64)
}

/// The running total of each customer's orders. A record lost or taken twice would show in all that follow.
fn application(folder: &Path) -> Done {
    let log = EmbeddedLog::open(folder.join("log"))?;
    // They exist already, except at the first start.
    let _ = (log.create("orders", 1), log.create("totals", 1));
    // Appended in one step: all or none.
    if log.end_offsets("orders")? == [0] {
        log.append("orders", 0, (0..ORDERS).map(|order| Entry::new(format!("customer-{}", order % 7), "1", order)))?;
    }
    let builder = StreamsBuilder::new();
    // Slow enough to be interrupted.
    let orders = builder.stream::<String, String>("orders").peek(|_, _| thread::sleep(Duration::from_micros(5)));
    orders.group_by_key().count("totals-by-customer").to_stream().to("totals");
    // Exactly once is the default: totals, state and positions are committed together or not at all.
    let state_dir = Some(folder.join("state"));
    let config =
        StreamsConfig { state_dir, commit_interval: Duration::from_millis(10), ..StreamsConfig::new("orders") };
    let streams = Streams::start(&builder.build()?, config, log.clone())?;
    while log.end_offsets("totals")? != [ORDERS] {
        println!("{}", log.end_offsets("totals")?[0]);
        thread::sleep(Duration::from_millis(1));
    }
    Ok(streams.close()?)
}

fn totals(folder: &Path) -> Done<Vec<(Option<bytes::Bytes>, Option<bytes::Bytes>)>> {
    let totals = EmbeddedLog::open(folder.join("log"))?.read_all("totals")?;
    Ok(totals.into_iter().map(|(_, record)| (record.key, record.value)).collect())
}
