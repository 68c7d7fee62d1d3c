//! Compares Tidemill with Kafka Streams on one Kafka broker: same data, same topologies, one after the other.
//!
//! `make bench-kafka` runs all parts, `make bench-kafka PART=latency` runs one. The benchmark starts a broker. Each
//! run is a separate process, whose CPU time and memory are measured from start to end.
#![allow(clippy::print_stdout, reason = "the program prints tables")]

mod child;
mod data;
mod engine;
#[path = "../common/input.rs"]
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod input;
mod latency;
mod restore;
mod site;
mod tables;
mod throughput;
mod topologies;
mod values;

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
        // `cargo bench` and `cargo test` skip this benchmark, because it takes many minutes and needs Java.
        _ => {
            println!("skipped: run `make bench-kafka` to compare with Kafka Streams");
            Ok(())
        }
    }
}

fn with_broker(compare: impl FnOnce(&Site) -> BenchResult) -> BenchResult {
    let Some(broker) = Broker::start(Options::new().for_load()) else { return Ok(()) };
    compare(&Site::new(broker.bootstrap_servers())?)
}
