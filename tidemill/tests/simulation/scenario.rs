//! What every scenario shares: its input, its run, and the comparison of what came out with what should.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use tidemill::{
    ProcessingGuarantee, StreamsBuilder, StreamsConfig, TimeWindows, Windowed,
    testing::{FaultRates, SimulationError, Simulator, SimulatorOptions},
};

/// An input record: its id is unique.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) topic: &'static str,
    pub(crate) key: String,
    pub(crate) id: i64,
    pub(crate) timestamp: i64,
}

/// An application with an oracle.
pub(crate) trait Scenario {
    /// Where its input goes.
    const TOPICS: &'static [&'static str];
    /// Topics with their own number of partitions.
    const PARTITIONS: &'static [(&'static str, i32)] = &[];
    /// Sets what the scenario needs.
    fn configure(config: StreamsConfig) -> StreamsConfig {
        config
    }
    /// Writes the topology down.
    fn build(builder: &StreamsBuilder);
    /// What comes last, under no faults.
    fn end(_simulator: &mut Simulator) -> Result<(), Problem> {
        Ok(())
    }
    /// Compares the outputs with what the input should give.
    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem>;
}

/// Ids by key, or by key and window.
pub(crate) type Ids<K> = BTreeMap<K, Vec<i64>>;

/// What is wrong, in words.
pub(crate) type Problem = Box<dyn std::error::Error>;

/// How a simulation ended.
pub(crate) struct Run {
    pub(crate) outcome: Result<(), Problem>,
    pub(crate) trace: Vec<String>,
    pub(crate) hash: u64,
}

/// 100 ms long, and longer open than timestamps are out of order.
pub(crate) fn windows() -> TimeWindows {
    TimeWindows::of_size_and_grace(Duration::from_millis(100), Duration::from_millis(100))
}

/// The start of a timestamp's window.
pub(crate) fn start_of(timestamp: i64) -> i64 {
    timestamp / 100 * 100
}

/// A key and a window's start, unless it is the record's that only closes the others.
pub(crate) fn place(key: &Windowed<String>) -> Option<(String, i64)> {
    (key.key != CLOSER).then(|| (key.key.clone(), key.window.start))
}

const CLOSER: &str = "closes all windows";
const RECORDS: i64 = 60;

/// When all faults have ended, and the sessions of the dead, everything comes out within this time.
const SETTLING_MAX_MS: i64 = 20_000;

/// Runs a seed and compares.
pub(crate) fn simulate<S: Scenario>(seed: u64, guarantee: ProcessingGuarantee) -> Run {
    simulate_with::<S>(seed, guarantee, FaultRates::default())
}

/// Runs a seed with chosen faults and compares.
pub(crate) fn simulate_with<S: Scenario>(seed: u64, guarantee: ProcessingGuarantee, faults: FaultRates) -> Run {
    let config = StreamsConfig { processing_guarantee: guarantee, ..StreamsConfig::new("sim") };
    simulate_as::<S>(seed, 1 + (seed % 3) as usize, config, faults)
}

/// A simulation that has run and passed.
pub(crate) fn finished<S: Scenario>(seed: u64, guarantee: ProcessingGuarantee) -> Simulator {
    let config = StreamsConfig { processing_guarantee: guarantee, ..StreamsConfig::new("sim") };
    let mut simulator = started::<S>(seed, 1 + (seed % 3) as usize, config, FaultRates::default());
    drive::<S>(&mut simulator, guarantee).expect("the seed passes");
    simulator
}

/// Runs a seed with so many instances, and a configuration of which the seed decides the rest.
pub(crate) fn simulate_as<S: Scenario>(seed: u64, instances: usize, config: StreamsConfig, faults: FaultRates) -> Run {
    let guarantee = config.processing_guarantee;
    let mut simulator = started::<S>(seed, instances, config, faults);
    let outcome = drive::<S>(&mut simulator, guarantee);
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn started<S: Scenario>(seed: u64, instances: usize, config: StreamsConfig, faults: FaultRates) -> Simulator {
    let builder = StreamsBuilder::new();
    S::build(&builder);
    let topology = builder.build().expect("the scenario is valid");
    let mut options = SimulatorOptions { instances, faults, ..SimulatorOptions::new(seed) };
    options.partitions = S::PARTITIONS.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect();
    options.config = StreamsConfig {
        num_stream_threads: 1 + (seed / 3 % 2) as usize,
        max_buffered_records: if seed.is_multiple_of(5) { 3 } else { 1000 },
        session_timeout: options.config.session_timeout,
        repartition_purge_interval: options.config.repartition_purge_interval,
        state_flush_interval: options.config.state_flush_interval,
        ..S::configure(config)
    };
    Simulator::new(&topology, options).expect("the scenario starts")
}

fn drive<S: Scenario>(simulator: &mut Simulator, guarantee: ProcessingGuarantee) -> Result<(), Problem> {
    let mut inputs = Vec::new();
    for id in 0..RECORDS {
        let topic = S::TOPICS[simulator.random(S::TOPICS.len() as u64) as usize];
        let key = format!("key-{}", simulator.random(5));
        let timestamp = id * 10 + simulator.random(50) as i64;
        simulator.append(topic, &key, &id, timestamp)?;
        inputs.push(Input { topic, key, id, timestamp });
        let turns = simulator.random(20) as usize;
        simulator.run(turns)?;
    }
    simulator.settle()?;
    // Closing happens under faults, too.
    for topic in S::TOPICS {
        simulator.append_everywhere(topic, &CLOSER.to_owned(), &-1_i64, 1_000_000)?;
    }
    simulator.run(100)?;
    simulator.settle()?;
    let took_ms = simulator.peaks().settling_ms;
    if took_ms > SETTLING_MAX_MS {
        return Err(format!("after all faults it took {took_ms} ms until everything was out").into());
    }
    S::end(simulator)?;
    S::check(simulator, &inputs, guarantee)
}

/// The inputs' ids, grouped.
pub(crate) fn group<K: Ord>(inputs: &[Input], key: impl Fn(&Input) -> K) -> Ids<K> {
    let mut groups = Ids::new();
    for input in inputs {
        groups.entry(key(input)).or_default().push(input.id);
    }
    groups
}

/// Exactly once: the same ids, each once. At least once: no id is missing, and none is made up.
pub(crate) fn compare<K: Ord + Debug>(
    what: &str,
    guarantee: ProcessingGuarantee,
    mut found: Ids<K>,
    expected: &Ids<K>,
) -> Result<(), Problem> {
    for ids in found.values_mut() {
        ids.sort_unstable();
        if guarantee == ProcessingGuarantee::AtLeastOnce {
            ids.dedup();
        }
    }
    if found == *expected {
        return Ok(());
    }
    let keys = found.keys().chain(expected.keys());
    let differ = keys
        .filter(|key| found.get(key) != expected.get(key))
        .map(|key| format!("\n    {key:?}: found {:?}, expected {:?}", found.get(key), expected.get(key)));
    let mut lines: Vec<_> = differ.collect();
    lines.sort();
    lines.dedup();
    Err(format!("{what} differ:{}", lines.concat()).into())
}

/// What a topic holds, as `(key, value)`.
pub(crate) fn read<K, V>(simulator: &Simulator, topic: &str) -> Result<Vec<(K, V)>, SimulationError>
where
    K: tidemill::state::Coded,
    V: tidemill::state::Coded,
{
    Ok(simulator.read::<K, V>(topic)?.into_iter().map(|(_, key, value)| (key, value)).collect())
}
