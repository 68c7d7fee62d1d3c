//! Measures how long an instance without state takes until it processes. It restores a table's changelog to disk.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tidemill::transport::{CleanupPolicy, embedded::Entry};

use crate::{
    BenchResult,
    engine::{Engine, Job},
    site::{PARTITIONS, Site},
};

const MEGABYTES: u64 = 1000;
const VALUE_BYTES: u64 = 1000;

/// Runs each engine with a changelog of the given size.
pub(crate) fn compare(site: &Site, megabytes: Option<&str>) -> BenchResult {
    let megabytes: u64 = megabytes.map_or(Ok(MEGABYTES), str::parse)?;
    site.create("restore-in", PARTITIONS, CleanupPolicy::Delete)?;
    println!("\nrestore of {megabytes} MB: from the start of the process to its output records");
    println!("{:<14} {:>10} {:>10} {:>8} {:>10} {:>8}", "engine", "first s", "all s", "MB/s", "CPU s", "RSS MB");
    for engine in Engine::BOTH {
        let application = format!("restore-{}", engine.name());
        let (changelog, output) = (format!("{application}-table-changelog"), format!("{application}-out"));
        site.create(&changelog, PARTITIONS, CleanupPolicy::Compact)?;
        site.create(&output, PARTITIONS, CleanupPolicy::Delete)?;
        let bytes = site.load(&changelog, rows(megabytes * 1_000_000 / VALUE_BYTES))?;
        // Each partition has input records. Its task must be restored before it processes them.
        site.load("restore-in", rows(100))?;
        let job = Job {
            workload: "table",
            guarantee: "exactly_once_v2",
            application: &application,
            input: "restore-in",
            output: &output,
            settings: Vec::new(),
        };
        let mut reader = site.reader_at_end(&output, PARTITIONS)?;
        let started = Instant::now();
        let served = job.serve(engine, site)?;
        let (mut first, mut seen) = (None, BTreeSet::new());
        while seen.len() < PARTITIONS as usize {
            if started.elapsed() > Duration::from_mins(15) {
                return Err(format!("only partitions {seen:?} were restored").into());
            }
            for batch in reader.read(Duration::from_millis(20), 1000)? {
                first.get_or_insert_with(|| started.elapsed());
                seen.insert(batch.partition.partition);
            }
        }
        let all = started.elapsed().as_secs_f64();
        let told = served.end()?;
        println!(
            "{:<14} {:>10.2} {all:>10.2} {:>8.0} {:>10.2} {:>8.0}",
            engine.name(),
            first.unwrap_or_default().as_secs_f64(),
            bytes as f64 / 1e6 / all,
            told.get("cpu_seconds").copied().unwrap_or(f64::NAN),
            told.get("rss_mb").copied().unwrap_or(f64::NAN)
        );
        site.delete(&application)?;
    }
    Ok(())
}

/// Records with different keys in random order, like the keys of a table.
fn rows(count: u64) -> impl Iterator<Item = Entry> {
    let value = Bytes::from(vec![b'v'; VALUE_BYTES as usize]);
    (0..count).map(move |row| {
        let key = format!("{:016x}", row.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Entry::new(key, value.clone(), 1_700_000_000_000)
    })
}
