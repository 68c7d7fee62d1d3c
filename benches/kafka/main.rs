//! Tidemill beside Kafka Streams on one Kafka: the same data, the same topologies, one after the other.
//!
//! `make bench-kafka` runs it, or one of its parts: `make bench-kafka PART=latency`. It starts a broker of its own. Each
//! run is a process of its own, whose CPU time and memory are measured whole, from start to end.
#![allow(clippy::print_stdout, reason = "its tables are what it is for")]

mod child;
mod data;
mod engine;
#[path = "../common/input.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod input;
mod latency;
mod restore;
mod site;
mod throughput;
mod topologies;

use std::{env, error::Error};

use tidemill_broker::{Broker, Options};

use site::Site;

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> BenchResult {
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["child", ref job @ ..] => child::run(job),
        ["throughput", ref workloads @ ..] => with_broker(|site| throughput::compare(site, workloads)),
        ["latency", ref rate @ ..] => with_broker(|site| latency::compare(site, rate.first().copied())),
        ["restore", ref megabytes @ ..] => with_broker(|site| restore::compare(site, megabytes.first().copied())),
        ["all"] => with_broker(|site| {
            throughput::compare(site, &[])?;
            latency::compare(site, None)?;
            restore::compare(site, None)
        }),
        // Among all benchmarks, or as a test, it is left out: it takes many minutes, and Java.
        _ => {
            println!("make bench-kafka compares with Kafka Streams");
            Ok(())
        }
    }
}

fn with_broker(compare: impl FnOnce(&Site) -> BenchResult) -> BenchResult {
    let Some(broker) = Broker::start(Options::new().for_load()) else { return Ok(()) };
    compare(&Site::new(broker.bootstrap_servers())?)
}
