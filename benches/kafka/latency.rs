//! From the moment that a record is sent to the moment that a committed read brings what was made of it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use tidemill::transport::{CleanupPolicy, Reader, Topic, embedded::Entry};

use crate::{
    BenchResult,
    engine::{Engine, Job},
    site::{Site, record},
};

/// About a tenth of what passes through at most, on two cores that broker and both ends share.
const RATE: u64 = 20_000;
/// Enough for virtual machines, the broker's among them, to compile what they run.
const WARM_UP: Duration = Duration::from_secs(40);
const MEASURED: Duration = Duration::from_secs(20);
const VALUE_BYTES: usize = 50;

/// Each engine at each interval, at so many records a second.
pub(crate) fn compare(site: &Site, rate: Option<&str>) -> BenchResult {
    let rate = rate.map_or(Ok(RATE), str::parse)?;
    site.create("latency-in", CleanupPolicy::Delete)?;
    println!("\nexactly once, {rate} records/s, from send to committed read, ms");
    println!(
        "{:<14} {:<18} {:>9} {:>8} {:>8} {:>8} {:>8}",
        "engine", "commit interval", "records", "p50", "p99", "p99.9", "max"
    );
    print("(none)", "(the broker alone)", without_engine(site, rate)?);
    for interval in ["10", "100", "default"] {
        for engine in Engine::BOTH {
            print(engine.name(), interval, run(site, engine, interval, rate)?);
        }
    }
    Ok(())
}

fn print(engine: &str, interval: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index.min(times.len().saturating_sub(1))).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(at);
    println!("{engine:<14} {interval:<18} {:>9} {p50:>8.1} {p99:>8.1} {p999:>8.1} {max:>8.1}", times.len());
}

/// What nobody can be faster than: the input read as it is, without transactions and without a second hop.
fn without_engine(site: &Site, rate: u64) -> BenchResult<Vec<Duration>> {
    let reader = site.reader_at_end("latency-in")?;
    measure(site, rate, reader)
}

fn run(site: &Site, engine: Engine, interval: &str, rate: u64) -> BenchResult<Vec<Duration>> {
    let application = format!("latency-{}-{interval}", engine.name());
    let output = format!("{application}-out");
    site.create(&output, CleanupPolicy::Delete)?;
    let mut settings = Vec::new();
    if interval != "default" {
        settings.push(format!("commit.interval.ms={interval}"));
    }
    let job = Job {
        workload: "pass",
        guarantee: "exactly_once_v2",
        application: &application,
        input: "latency-in",
        output: &output,
        settings,
    };
    let reader = site.reader_at_end(&output)?;
    let served = job.serve(engine, site)?;
    let times = measure(site, rate, reader)?;
    served.end()?;
    site.delete(&output)?;
    Ok(times)
}

/// Sends, and reads what comes out, for the warm-up and the time measured.
fn measure(site: &Site, rate: u64, mut reader: Box<dyn Reader>) -> BenchResult<Vec<Duration>> {
    let (epoch, stop) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(site, rate, epoch, &stop));
        let times = receive(reader.as_mut(), epoch);
        stop.store(true, Ordering::SeqCst);
        sender.join().map_err(|_| "the sender panicked")??;
        times
    })
}

/// Sends a few records each millisecond, stamped with the time since `epoch`.
fn send(site: &Site, rate: u64, epoch: Instant, stop: &AtomicBool) -> BenchResult {
    let (topic, mut producer) = (Topic::from("latency-in"), site.producer()?);
    let (started, mut sent) = (Instant::now(), 0_u64);
    while !stop.load(Ordering::SeqCst) {
        let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due {
            let mut value = BytesMut::with_capacity(VALUE_BYTES);
            value.put_u64(epoch.elapsed().as_nanos() as u64);
            value.resize(VALUE_BYTES, b'x');
            let entry = Entry::new(Bytes::from(format!("stream-{}", sent % 1000)), value.freeze(), 1_700_000_000_000);
            producer.send(record(&topic, entry))?;
            sent += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(producer.flush()?)
}

/// What took how long, after the warm-up.
fn receive(reader: &mut dyn Reader, epoch: Instant) -> BenchResult<Vec<Duration>> {
    let mut times = Vec::new();
    let mut first = None;
    loop {
        let batches = reader.read(Duration::from_millis(100), 10_000)?;
        let now = epoch.elapsed();
        let since_first = first.map_or(Duration::ZERO, |first: Instant| first.elapsed());
        for record in batches.iter().flat_map(|batch| &batch.records) {
            first.get_or_insert_with(Instant::now);
            let stamp =
                record.value.as_deref().and_then(|value| value.first_chunk::<8>()).ok_or("a stamp is missing")?;
            if since_first > WARM_UP {
                times.push(now.saturating_sub(Duration::from_nanos(u64::from_be_bytes(*stamp))));
            }
        }
        if since_first > WARM_UP + MEASURED {
            return Ok(times);
        }
        if first.is_none() && now > Duration::from_mins(2) {
            return Err("nothing came out within two minutes".into());
        }
    }
}
