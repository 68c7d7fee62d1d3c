//! Measures records per second, CPU time per record, and memory.

use std::env;

use tidemill::transport::CleanupPolicy;

use crate::{
    BenchResult,
    child::CACHE,
    data,
    engine::{Engine, GUARANTEES, Job, Told},
    site::{PARTITIONS, Site},
    topologies::WORKLOADS,
};

/// Runs the given workloads on both engines in turn and prints one table. Without workloads, it runs all.
///
/// Kafka Streams caches tables and aggregates by default, and then sends only the last update of a key; Tidemill sends
/// each. `CACHE=0` lets both send each; `CACHE=10485760` gives both the cache that Kafka Streams has by default.
pub(crate) fn compare(site: &Site, workloads: &[&str]) -> BenchResult {
    let rounds: usize = env::var("ROUNDS").map_or(Ok(1), |rounds| rounds.parse())?;
    let workloads = if workloads.is_empty() { &WORKLOADS[..] } else { workloads };
    println!(
        "{:<14} {:<16} {:<14} {:>10} {:>12} {:>8}",
        "workload", "guarantee", "engine", "records/s", "CPU us/rec", "RSS MB"
    );
    for workload in workloads {
        for guarantee in GUARANTEES {
            let mut runs = [Vec::new(), Vec::new()];
            for round in 0..rounds {
                for (engine, runs) in Engine::BOTH.into_iter().zip(&mut runs) {
                    runs.push(run(site, workload, guarantee, engine, round)?);
                }
            }
            let [ours, theirs] = runs.map(|runs| Row::of(&runs));
            for (engine, row) in Engine::BOTH.into_iter().zip([&ours, &theirs]) {
                let Row { rate, cpu, memory } = row;
                println!("{workload:<14} {guarantee:<16} {:<14} {rate:>10.0} {cpu:>12.2} {memory:>8.0}", engine.name());
            }
            println!(
                "{:<46} {:>9.1}x {:>11.1}x {:>7.1}x",
                "Tidemill is better by",
                ours.rate / theirs.rate,
                theirs.cpu / ours.cpu,
                theirs.memory / ours.memory
            );
        }
    }
    Ok(())
}

fn run(site: &Site, workload: &str, guarantee: &str, engine: Engine, round: usize) -> BenchResult<Told> {
    let input = data::input(site, workload)?;
    let application = format!("{}-{workload}-{guarantee}-{round}", engine.name());
    let output = format!("{application}-out");
    site.create(&output, PARTITIONS, CleanupPolicy::Delete)?;
    let settings = env::var("CACHE").map(|bytes| format!("{CACHE}={bytes}")).into_iter().collect();
    let job = Job { workload, guarantee, application: &application, input: input.topic, output: &output, settings };
    let told = job.run(engine, site, input.records)?;
    site.delete(&application)?;
    Ok(told)
}

/// The medians of several runs.
struct Row {
    rate: f64,
    /// CPU time per record, in microseconds.
    cpu: f64,
    /// Memory, in megabytes.
    memory: f64,
}

impl Row {
    fn of(runs: &[Told]) -> Self {
        let value = |told: &Told, name: &str| told.get(name).copied().unwrap_or(f64::NAN);
        Self {
            rate: median(runs.iter().map(|told| value(told, "records") / value(told, "seconds"))),
            cpu: median(runs.iter().map(|told| value(told, "cpu_seconds") * 1e6 / value(told, "records"))),
            memory: median(runs.iter().map(|told| value(told, "rss_mb"))),
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
