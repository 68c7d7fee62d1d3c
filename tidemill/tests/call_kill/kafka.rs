//! Three instances at once, on a Kafka broker.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tidemill::transport::{TopicPartition, Transport};
use tidemill_broker::{Broker, Options};

use crate::{
    Tested,
    checks::{self, Figures},
    child::Process,
    figures,
    run::{self, Evidence, Run},
    site::Site,
    time::real_ms,
    work::{self, APP, OUTPUT, PARTITIONS, Plan},
};

const INSTANCES: usize = 3;

#[test]
fn killed_processes_on_kafka() -> Tested {
    let _alone = crate::alone();
    let (kills, seed) = (crate::kills(6)?, crate::seed()?);
    let tokens_per_hour = 2_000 + 1_500 * u64::from(kills);
    let plan = Plan { in_flight: 24, in_flight_each: 8, tokens_per_hour, speed: 10 };
    let Some((evidence, figures)) = scene(plan, seed, |run, fleet, log| {
        let mut random = StdRng::seed_from_u64(seed);
        for kill in 0..kills {
            run.feed(log)?;
            let instance = random.random_range(0..INSTANCES);
            if kill % 4 == 3 {
                // Perhaps while it starts, or waits for its partitions.
                thread::sleep(Duration::from_millis(random.random_range(0..1_500)));
            } else {
                run.wait_for_call(&fleet[instance], Duration::from_secs(30));
                run.feed(log)?;
                run.wait_for_call(&fleet[instance], Duration::from_secs(2));
                if kill % 4 > 0 {
                    thread::sleep(Duration::from_millis(random.random_range(0..60)));
                }
            }
            run.past.push(fleet.remove(instance).kill()?);
            fleet.insert(instance, run.start(instance)?);
        }
        Ok(())
    })?
    else {
        return Ok(());
    };
    figures::print("Kafka, three instances", &evidence, &figures);
    figures::enough(&figures)
}

#[test]
fn a_rolling_restart_keeps_the_budget() -> Tested {
    let _alone = crate::alone();
    let seed = crate::seed()?;
    let plan = Plan { in_flight: 12, in_flight_each: 8, tokens_per_hour: 15_000, speed: 1 };
    let Some((evidence, figures)) = scene(plan, seed, |run, fleet, log| {
        for round in 0..2 * INSTANCES {
            for _ in 0..4 {
                run.feed(log)?;
                thread::sleep(Duration::from_millis(150));
            }
            let instance = round % INSTANCES;
            run.past.push(fleet.remove(instance).close()?);
            fleet.insert(instance, run.start(instance)?);
            fleet[instance].started()?;
        }
        Ok(())
    })?
    else {
        return Ok(());
    };
    figures::print("Kafka, rolling restart", &evidence, &figures);
    if figures.fallbacks == 0 {
        return Err("the budget was not reached".into());
    }
    // An executor that is closed settles all that it began. One that the log fails cannot.
    if figures.unknown > 0 && figures.reopened == 0 {
        return Err(format!("{} attempts of closed members are unknown", figures.unknown).into());
    }
    Ok(())
}

/// Runs three instances while something disturbs them, until every window has its effect.
fn scene(
    plan: Plan,
    seed: u64,
    disturb: impl FnOnce(&mut Run, &mut Vec<Process>, &dyn Transport) -> Tested,
) -> Tested<Option<(Evidence, Figures)>> {
    let Some(broker) = Broker::start(Options::new().session_timeout_ms(2_000)) else { return Ok(None) };
    let site = Site::Kafka(broker.bootstrap_servers());
    let mut run = Run::new(run::folder()?, site.clone(), plan, seed)?;
    let log = site.open()?;
    let watcher = Watcher::start(site.open()?);
    run.feed(&*log)?;
    let mut fleet = Vec::new();
    for instance in 0..INSTANCES {
        fleet.push(run.start(instance)?);
    }
    disturb(&mut run, &mut fleet, &*log)?;
    run.feed(&*log)?;
    run.wait_for_all(|| Ok(watcher.effects.load(Ordering::SeqCst)))?;
    for process in fleet {
        run.past.push(process.close()?);
    }
    run.answered_ms = watcher.stop()?;
    let evidence = run.evidence()?;
    let figures = checks::all(&evidence)?;
    drop(broker);
    Ok(Some((evidence, figures)))
}

type Seen = BTreeMap<(i32, Vec<u8>), i64>;

/// Follows the answers and the effects, and notes when it saw each answer.
struct Watcher {
    seen: Arc<Mutex<Seen>>,
    effects: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<Tested>,
}

impl Watcher {
    fn start(log: Arc<dyn Transport>) -> Self {
        let (seen, effects, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicUsize>::default(), Arc::default());
        let shared = (seen.clone(), effects.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || follow(&*log, &shared.0, &shared.1, &shared.2));
        Self { seen, effects, stop, thread }
    }

    fn stop(self) -> Tested<Seen> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().map_err(|_| "the watcher panicked")??;
        Ok(std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn follow(log: &dyn Transport, seen: &Mutex<Seen>, effects: &AtomicUsize, stop: &AtomicBool) -> Tested {
    let answers = work::call().response_topic(APP);
    while !log.admin()?.describe_topic(&answers).is_ok_and(|topic| topic.is_some()) {
        thread::sleep(Duration::from_millis(50));
        if stop.load(Ordering::SeqCst) {
            return Ok(());
        }
    }
    let mut reader = log.reader()?;
    let topics = [&*answers, OUTPUT];
    let all = topics.iter().flat_map(|topic| (0..PARTITIONS).map(|number| TopicPartition::new(*topic, number)));
    reader.assign(&all.map(|partition| (partition, 0)).collect::<Vec<_>>())?;
    while !stop.load(Ordering::SeqCst) {
        // A busy broker may not answer in time. The reader goes on where it was.
        for fetched in reader.read(Duration::from_millis(20), 5_000).unwrap_or_default() {
            if &*fetched.partition.topic == OUTPUT {
                effects.fetch_add(fetched.records.len(), Ordering::SeqCst);
                continue;
            }
            let (now_ms, mut seen) = (real_ms(), seen.lock().unwrap_or_else(PoisonError::into_inner));
            for record in fetched.records {
                let id = record.key.as_deref().unwrap_or_default().to_vec();
                seen.entry((fetched.partition.partition, id)).or_insert(now_ms);
            }
        }
    }
    Ok(())
}
