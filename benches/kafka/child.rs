//! The process that runs Tidemill and is measured.

use std::{
    fs,
    io::{self, Read},
    thread,
    time::{Duration, Instant},
};

use cpu_time::ProcessTime;
use tidemill::{
    ProcessingGuarantee, Streams, StreamsConfig,
    transport::kafka::{KafkaConfig, KafkaTransport},
};

use crate::{BenchResult, topologies};

/// The setting for the bytes of each cache, by Kafka Streams' name.
pub(crate) const CACHE: &str = "statestore.cache.max.bytes";

/// Runs a [`crate::engine::Job`].
pub(crate) fn run(job: &[&str]) -> BenchResult {
    let [what, servers, workload, guarantee, application, input, output, ref rest @ ..] = *job else {
        return Err("a child is started by the benchmark".into());
    };
    let (records, settings) = if what == "run" { rest.split_at(1) } else { rest.split_at(0) };
    let state = tempfile::tempdir()?;
    let mut config = StreamsConfig {
        processing_guarantee: if guarantee == "exactly_once_v2" {
            ProcessingGuarantee::ExactlyOnce
        } else {
            ProcessingGuarantee::AtLeastOnce
        },
        state_dir: Some(state.path().to_owned()),
        ..StreamsConfig::new(application)
    };
    let mut cache_max_bytes = 0;
    for setting in settings {
        match setting.split_once('=') {
            Some(("commit.interval.ms", value)) => config.commit_interval = Duration::from_millis(value.parse()?),
            Some((CACHE, value)) => cache_max_bytes = value.parse()?,
            _ => return Err(format!("'{setting}' is not a setting of this benchmark").into()),
        }
    }
    let transport = KafkaTransport::new(KafkaConfig::new(servers))?;
    let started = Instant::now();
    let topology = topologies::named(workload, input, output, cache_max_bytes)?;
    let streams = Streams::start(&topology, config, transport)?;
    let mut told = String::new();
    if let [records] = records {
        let seconds = process(&streams, records.parse()?);
        streams.close()?;
        let closed = started.elapsed().as_secs_f64();
        told = format!("records={records} seconds={seconds:.3} closed_seconds={closed:.3} ");
    } else {
        io::stdin().read_to_end(&mut Vec::new())?;
        streams.close()?;
    }
    let cpu = ProcessTime::now().as_duration().as_secs_f64();
    println!("{told}cpu_seconds={cpu:.3} rss_mb={}", peak_megabytes()?);
    Ok(())
}

/// How long nothing must happen until all is processed. Records of internal topics come after those of the input.
const SETTLED: Duration = Duration::from_secs(1);

/// Waits until at least `records` records are processed and no more come. Returns the seconds from the first record to
/// the last.
fn process(streams: &Streams, records: u64) -> f64 {
    let (mut first, mut last, mut before) = (None, Instant::now(), 0);
    loop {
        let tasks = streams.status().into_iter().flat_map(|thread| thread.tasks);
        let processed: u64 = tasks.map(|task| task.records_processed).sum();
        if processed > before {
            first.get_or_insert_with(Instant::now);
            (last, before) = (Instant::now(), processed);
        }
        if processed >= records && last.elapsed() >= SETTLED {
            return first.map_or(0.0, |first| (last - first).as_secs_f64());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn peak_megabytes() -> BenchResult<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.split_whitespace().next().unwrap_or("0").parse::<u64>()? / 1024)
}
