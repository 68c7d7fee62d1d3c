//! Measures latency: the time from sending a record until a committed read returns its result.

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
    site::{PARTITIONS, Site, record},
};

/// Records per second: about a tenth of the maximum on two cores, which the broker and both clients share.
const RATE: u64 = 20_000;
/// Long enough for the Java virtual machine to compile most of the code that runs.
const WARM_UP: Duration = Duration::from_secs(40);
/// The broker needs a longer warm-up, because the first run is also its first run with transactions.
const BROKER_WARM_UP: Duration = Duration::from_secs(60);
const MEASURED: Duration = Duration::from_secs(20);
const VALUE_BYTES: usize = 50;
/// The interval at which records are sent. It gives as many requests as Kafka's default of 5 ms for `linger.ms`, but
/// without this wait, which no engine can change.
const TICK: Duration = Duration::from_millis(5);
const LINGER_MS: &str = "1";

/// The smaller number of partitions of input and output. Partitions cost requests in each commit: librdkafka sends one
/// request per partition, Java's client one per broker.
const FEW: i32 = 1;

/// Runs each engine with each commit interval, at `rate` records per second. With exactly-once, the default interval of
/// both engines is 100 ms.
pub(crate) fn compare(site: &Site, rate: Option<&str>) -> BenchResult {
    let rate = rate.map_or(Ok(RATE), str::parse)?;
    println!("\nexactly once, {rate} records/s, from send to committed read, ms");
    println!(
        "p99/s is the median of the p99 of each second: single pauses of the machine or the broker do not change it"
    );
    println!(
        "{:<14} {:<18} {:>10} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "engine", "commit interval", "partitions", "records", "p50", "p99/s", "p99", "p99.9", "max"
    );
    Run { engine: Engine::Tidemill, interval: "10", partitions: PARTITIONS, rate }.times(site, BROKER_WARM_UP)?;
    for (partitions, intervals) in [(FEW, &["10"][..]), (PARTITIONS, &["10", "100"])] {
        print(["(none)", "(the broker alone)"], partitions, &without_engine(site, partitions, rate)?);
        for interval in intervals {
            for engine in Engine::BOTH {
                let run = Run { engine, interval, partitions, rate };
                print([engine.name(), interval], partitions, &run.times(site, WARM_UP)?);
            }
        }
    }
    Ok(())
}

/// The latencies of the records, by the second in which they arrived.
type Seconds = Vec<Vec<Duration>>;

fn print([engine, interval]: [&str; 2], partitions: i32, seconds: &Seconds) {
    let mut all = seconds.concat();
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| quantile_ms(&mut all, share));
    // A second with very few records is left out. Delayed records count in the second in which they arrived.
    let whole = seconds.iter().filter(|second| second.len() * seconds.len() > all.len() / 2);
    let mut each: Vec<_> = whole.map(|second| quantile(&mut second.clone(), 0.99)).collect();
    let p99_each = quantile_ms(&mut each, 0.5);
    println!(
        "{engine:<14} {interval:<18} {partitions:>10} {:>9} {p50:>8.1} {p99_each:>8.1} {p99:>8.1} {p999:>8.1} {max:>8.1}",
        all.len()
    );
}

fn quantile_ms(times: &mut [Duration], share: f64) -> f64 {
    quantile(times, share).as_secs_f64() * 1e3
}

fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let index = (times.len() as f64 * share) as usize;
    times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The lower bound for every engine: the input is read directly, without transactions and without a second topic.
fn without_engine(site: &Site, partitions: i32, rate: u64) -> BenchResult<Seconds> {
    let input = format!("latency-none-{partitions}-in");
    site.create(&input, partitions, CleanupPolicy::Delete)?;
    let reader = site.reader_at_end(&input, partitions)?;
    let times = measure(site, Load { rate, input: &input, partitions }, reader, WARM_UP)?;
    site.delete(&input)?;
    Ok(times)
}

struct Run<'a> {
    engine: Engine,
    interval: &'a str,
    partitions: i32,
    rate: u64,
}

impl Run<'_> {
    fn times(&self, site: &Site, warm_up: Duration) -> BenchResult<Seconds> {
        let &Self { engine, interval, partitions, rate } = self;
        // Each run has its own application id and topics, so it does not continue another run.
        let application = format!("latency-{}-{interval}-{partitions}-{}", engine.name(), warm_up.as_secs());
        let (input, output) = (format!("{application}-in"), format!("{application}-out"));
        site.create(&input, partitions, CleanupPolicy::Delete)?;
        site.create(&output, partitions, CleanupPolicy::Delete)?;
        let job = Job {
            workload: "pass",
            guarantee: "exactly_once_v2",
            application: &application,
            input: &input,
            output: &output,
            settings: vec![format!("commit.interval.ms={interval}")],
        };
        let reader = site.reader_at_end(&output, partitions)?;
        let served = job.serve(engine, site)?;
        let times = measure(site, Load { rate, input: &input, partitions }, reader, warm_up)?;
        served.end()?;
        site.delete(&application)?;
        Ok(times)
    }
}

/// The load: records per second and the input topic.
#[derive(Clone, Copy)]
struct Load<'a> {
    rate: u64,
    input: &'a str,
    partitions: i32,
}

/// Sends records and reads the results, during the warm-up and the measured time.
fn measure(site: &Site, load: Load<'_>, mut reader: Box<dyn Reader>, warm_up: Duration) -> BenchResult<Seconds> {
    let (epoch, stop) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(site, load, epoch, &stop));
        let times = receive(reader.as_mut(), epoch, warm_up);
        stop.store(true, Ordering::SeqCst);
        sender.join().map_err(|_| "the sender panicked")??;
        times
    })
}

/// Sends the due records at each tick. Each value holds the time since `epoch`.
fn send(site: &Site, load: Load<'_>, epoch: Instant, stop: &AtomicBool) -> BenchResult {
    let Load { rate, input, partitions } = load;
    let (topic, mut producer) = (Topic::from(input), site.producer_with("linger.ms", LINGER_MS)?);
    let (started, mut sent) = (Instant::now(), 0_u64);
    while !stop.load(Ordering::SeqCst) {
        let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due {
            let mut value = BytesMut::with_capacity(VALUE_BYTES);
            value.put_u64(epoch.elapsed().as_nanos() as u64);
            value.resize(VALUE_BYTES, b'x');
            let entry = Entry::new(Bytes::from(format!("stream-{}", sent % 1000)), value.freeze(), 1_700_000_000_000);
            producer.send(record(&topic, partitions, entry))?;
            sent += 1;
        }
        thread::sleep(TICK);
    }
    Ok(producer.flush().map(drop)?)
}

/// Receives results and returns their latencies after the warm-up.
fn receive(reader: &mut dyn Reader, epoch: Instant, warm_up: Duration) -> BenchResult<Seconds> {
    let mut seconds = vec![Vec::new(); MEASURED.as_secs() as usize];
    let mut first = None;
    loop {
        let batches = reader.read(Duration::from_millis(100), 10_000)?;
        let now = epoch.elapsed();
        let since_first = first.map_or(Duration::ZERO, |first: Instant| first.elapsed());
        for record in batches.iter().flat_map(|batch| &batch.records) {
            first.get_or_insert_with(Instant::now);
            let stamp =
                record.value.as_deref().and_then(|value| value.first_chunk::<8>()).ok_or("a stamp is missing")?;
            let second = since_first.checked_sub(warm_up).map(|measured| measured.as_secs() as usize);
            if let Some(times) = second.and_then(|second| seconds.get_mut(second)) {
                times.push(now.saturating_sub(Duration::from_nanos(u64::from_be_bytes(*stamp))));
            }
        }
        if since_first > warm_up + MEASURED {
            return Ok(seconds);
        }
        if first.is_none() && now > Duration::from_mins(2) {
            return Err("nothing came out within two minutes".into());
        }
    }
}
