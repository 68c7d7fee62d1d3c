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
    site::{PARTITIONS, Site, record},
};

/// About a tenth of what passes through at most, on two cores that broker and both ends share.
const RATE: u64 = 20_000;
/// Enough for a virtual machine to compile most of what it runs.
const WARM_UP: Duration = Duration::from_secs(40);
/// The broker's takes longer to come to rest, for it learns transactions with the first engine.
const BROKER_WARM_UP: Duration = Duration::from_secs(60);
const MEASURED: Duration = Duration::from_secs(20);
const VALUE_BYTES: usize = 50;
/// How often records are sent, and how long they may wait for each other then: as many requests as with Kafka's default
/// of 5 ms for `linger.ms`, a wait that no engine can do anything about.
const TICK: Duration = Duration::from_millis(5);
const LINGER_MS: &str = "1";

/// Of input and output. Each costs a commit requests of its own: librdkafka sends one a partition, Java's client one a
/// broker.
const FEW: i32 = 1;

/// Each engine at each interval, at so many records a second. Exactly once, both commit each 100 ms by default.
pub(crate) fn compare(site: &Site, rate: Option<&str>) -> BenchResult {
    let rate = rate.map_or(Ok(RATE), str::parse)?;
    println!("\nexactly once, {rate} records/s, from send to committed read, ms");
    println!(
        "p99/s is the median of the p99 of each second: what a pause of the machine, or of the broker, does not decide"
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

/// How long records took, by the second in which they arrived.
type Seconds = Vec<Vec<Duration>>;

fn print([engine, interval]: [&str; 2], partitions: i32, seconds: &Seconds) {
    let mut all = seconds.concat();
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| quantile_ms(&mut all, share));
    // A second in which next to nothing arrived says nothing; what it kept back counts where it arrived.
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

/// What nobody can be faster than: the input read as it is, without transactions and without a second hop.
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
        // Nobody goes on where another run ended, or has its input to catch up with.
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

/// What is sent: so many records a second, to where.
#[derive(Clone, Copy)]
struct Load<'a> {
    rate: u64,
    input: &'a str,
    partitions: i32,
}

/// Sends, and reads what comes out, for the warm-up and the time measured.
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

/// Sends what is due at each tick, stamped with the time since `epoch`.
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

/// What took how long, after the warm-up.
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
