//! Runs several instances of an application on one log. A seed determines their order and their faults.

mod calls;
mod error;
mod options;
mod peaks;
mod records;
mod turns;

pub use error::SimulationError;
pub use options::SimulatorOptions;
pub use peaks::SimulationPeaks;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    FaultRates,
    executors::{Calls, Executor},
    faults::Fate,
    instance::Instance,
};
use crate::{
    clock::{Clock, ManualClock},
    config::StreamsConfig,
    runtime::Prepared,
    topology::Topology,
    transport::{TransportError, embedded::EmbeddedLog},
};

/// Runs several instances of an application, with their machines and their log, in virtual time on one thread. Kafka
/// Streams has no such test; FoundationDB's simulation is the model.
///
/// During [`Simulator::run`], threads take turns in a random order. Instances crash, hang past their session timeout,
/// leave and return. Commits are refused, or their replies are lost. After a crash, a store returns to its last durable
/// state. [`Simulator::settle`] ends all faults and waits until all work is done. The output topics must then hold the
/// same results as without faults.
///
/// A test runs many seeds. If one fails, the same seed shows the same failure again, and [`Simulator::trace`] tells
/// what happened.
///
/// ```
/// use tidemill::{StreamsBuilder, testing::{Simulator, SimulatorOptions}};
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, i64>("in").group_by_key().count("counts").to_stream().to("out");
///
/// let mut simulator = Simulator::new(&builder.build()?, SimulatorOptions::new(42))?;
/// for number in 0..20 {
///     simulator.append("in", &"k".to_owned(), &number, number)?;
///     simulator.run(10)?;
/// }
/// simulator.settle()?;
/// let counts: Vec<i64> = simulator.read::<String, i64>("out")?.into_iter().map(|(_, _, count)| count).collect();
/// assert_eq!(counts, (1..=20).collect::<Vec<_>>());
/// assert!(simulator.peaks().uncommitted_bytes > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Simulator {
    log: EmbeddedLog,
    fate: Fate,
    config: StreamsConfig,
    instances: Vec<Instance>,
    executors: Vec<Box<dyn Executor>>,
    calls: Arc<Mutex<Calls>>,
    peaks: SimulationPeaks,
}

/// If the work is not finished after this many rounds, it will never be finished.
const ROUNDS_MAX: usize = 2000;

/// After this many idle rounds in a row, no more work is expected.
const QUIET_ROUNDS: usize = 20;

impl Simulator {
    /// Creates the log and the topics, and starts all instances. See the example of [`Simulator`].
    ///
    /// # Errors
    ///
    /// As [`Streams::start`](crate::Streams::start).
    pub fn new(topology: &Topology, options: SimulatorOptions) -> Result<Self, SimulationError> {
        let SimulatorOptions { seed, instances, config, default_partitions, partitions, faults } = options;
        // The clock starts late enough that faults cannot set it back before the epoch.
        let clock = ManualClock::new(1_800_000_000_000);
        let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
        let topics = topology.nodes().iter().flat_map(|node| node.kind.user_topics()).map(ToString::to_string);
        let dead_letters = config.dead_letter_topics().map(ToOwned::to_owned);
        for topic in topics.chain(dead_letters).chain(partitions.keys().cloned()) {
            // A topic that is both read and written appears twice.
            match log.create(&topic, partitions.get(&topic).copied().unwrap_or(default_partitions)) {
                Ok(()) | Err(TransportError::TopicExists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let fate = Fate::new(seed, faults, clock.clone());
        let mut machines = Vec::new();
        for index in 0..instances {
            let name = format!("machine-{index}");
            // The simulated disk replaces the state directory.
            let config = StreamsConfig { state_dir: None, ..config.clone() };
            let (transport, clock) = (Arc::new(log.clone()), Arc::new(clock.clone()));
            let prepared = Prepared::new(topology, config, transport, clock, name.clone())?;
            machines.push(Instance::new(name, prepared, log.clone(), fate.clone()));
        }
        let (instances, executors, calls, peaks) = (machines, Vec::new(), Arc::default(), SimulationPeaks::default());
        let mut simulator = Self { log, fate, config, instances, executors, calls, peaks };
        simulator.instances.iter_mut().try_for_each(Instance::start)?;
        Ok(simulator)
    }

    /// The largest values seen so far. See the example of [`Simulator`].
    pub fn peaks(&self) -> SimulationPeaks {
        self.peaks
    }

    /// The number of commits of all running threads since they started. See the example of [`Simulator::rest`].
    pub fn commits(&self) -> u64 {
        self.instances.iter().map(Instance::commits).sum()
    }

    /// Gives every thread `turns` turns, in order. Faults occur, except those that stop a thread or a process between
    /// turns. Each thread waits in its polls, as in production.
    ///
    /// # Errors
    ///
    /// If a thread ends with an error.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::{FaultRates, Simulator, SimulatorOptions}};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("in").to("out");
    ///
    /// let options = SimulatorOptions { faults: FaultRates::NONE, ..SimulatorOptions::new(42) };
    /// let mut simulator = Simulator::new(&builder.build()?, options)?;
    /// simulator.append("in", &1_u64, &250_i64, 0)?;
    /// simulator.run_in_order(20)?;
    /// assert_eq!(simulator.read::<u64, i64>("out")?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run_in_order(&mut self, turns: usize) -> Result<(), SimulationError> {
        let timeout = self.config.poll_timeout;
        (0..turns).try_for_each(|_| self.step_all(timeout).map(drop))
    }

    /// Lets the application run for the time `by`, without new faults.
    ///
    /// # Errors
    ///
    /// If a thread ends with an error.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{StreamsBuilder, testing::{Simulator, SimulatorOptions}};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("in").group_by_key().count("counts");
    ///
    /// let mut simulator = Simulator::new(&builder.build()?, SimulatorOptions::new(42))?;
    /// let before_ms = simulator.passed_ms();
    /// simulator.append("in", &1_u64, &250_i64, 0)?;
    /// simulator.rest(Duration::from_secs(2))?;
    /// assert!(simulator.passed_ms() - before_ms >= 2_000);
    /// assert!(simulator.now_ms() > simulator.passed_ms(), "wall time counts from the epoch");
    /// assert!(simulator.commits() > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rest(&mut self, by: Duration) -> Result<(), SimulationError> {
        let (rates, until_ms) = (self.fate.set_rates(FaultRates::NONE), self.now_ms() + by.as_millis() as i64);
        while self.now_ms() < until_ms {
            self.round()?;
        }
        self.fate.set_rates(rates);
        Ok(())
    }

    /// A random number below `bound`, for the test's own choices. The seed determines it. Returns 0 if `bound` is 0.
    /// See the example of [`Simulator::trace`].
    pub fn random(&mut self, bound: u64) -> u64 {
        self.fate.below(bound)
    }

    /// The simulation's wall time, in milliseconds since the epoch. Faults may set it, also back. See the example of
    /// [`Simulator::rest`].
    pub fn now_ms(&self) -> i64 {
        self.fate.clock.now_ms()
    }

    /// The time passed in the simulation, in milliseconds. Faults that set the wall clock do not change it. See the
    /// example of [`Simulator::rest`].
    pub fn passed_ms(&self) -> i64 {
        self.fate.clock.monotonic_ms()
    }

    /// Runs a number of random turns, with faults. See the example of [`Simulator`].
    ///
    /// # Errors
    ///
    /// If a thread ends with an error.
    pub fn run(&mut self, turns: usize) -> Result<(), SimulationError> {
        (0..turns).try_for_each(|_| self.turn())
    }

    /// Ends all faults, starts every instance, runs until all work is done, and compares stores with changelogs. The
    /// faults return with the next [`Simulator::run`]. See the example of [`Simulator`].
    ///
    /// # Errors
    ///
    /// If a thread ends with an error, if the work is never finished, or if a store differs from its changelog.
    pub fn settle(&mut self) -> Result<(), SimulationError> {
        let rates = self.fate.set_rates(FaultRates::NONE);
        self.fate.note("settling");
        self.instances.iter_mut().for_each(Instance::resume);
        for instance in self.instances.iter_mut().filter(|instance| !instance.is_up()) {
            instance.start()?;
        }
        // The sessions of dead processes must expire before other members get their partitions.
        let session_ms = self.config.session_timeout.as_millis() as i64;
        let until_ms = self.fate.clock.monotonic_ms() + session_ms + 1;
        let mut quiet = 0;
        for _ in 0..ROUNDS_MAX {
            let now_ms = self.fate.clock.monotonic_ms();
            quiet = if self.round()? || now_ms < until_ms { 0 } else { quiet + 1 };
            if quiet == 0 {
                self.peaks.settling_ms = self.peaks.settling_ms.max(now_ms - until_ms);
            }
            if quiet >= QUIET_ROUNDS && self.behind().is_empty() {
                self.fate.note("settled");
                self.instances.iter_mut().try_for_each(Instance::compare_stores)?;
                self.fate.set_rates(rates);
                return Ok(());
            }
        }
        Err(SimulationError::Unsettled(self.behind()))
    }

    /// All events of the simulation, in order. Print them when a test fails.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::{Simulator, SimulatorOptions, SimulationError}};
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream::<u64, i64>("in").group_by_key().count("counts");
    /// # let topology = builder.build()?;
    /// let run = || -> Result<_, SimulationError> {
    ///     let mut simulator = Simulator::new(&topology, SimulatorOptions::new(42))?;
    ///     let amount = simulator.random(1_000) as i64;
    ///     simulator.append("in", &1_u64, &amount, 0)?;
    ///     simulator.run(100)?;
    ///     Ok((simulator.trace(), simulator.trace_hash()))
    /// };
    /// assert_eq!(run()?, run()?, "one seed, one run");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trace(&self) -> Vec<String> {
        self.fate.events()
    }

    /// A hash of [`Simulator::trace`]. Equal runs have equal hashes. See the example of [`Simulator::trace`].
    pub fn trace_hash(&self) -> u64 {
        self.fate.hash()
    }

    /// The log that all instances use, for reading offsets and members.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::{Simulator, SimulatorOptions}};
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream::<u64, i64>("in").to("out");
    /// let simulator = Simulator::new(&builder.build()?, SimulatorOptions::new(42))?;
    /// assert_eq!(simulator.log().end_offsets("in")?, [0; 3], "three partitions by default");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn log(&self) -> &EmbeddedLog {
        &self.log
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.instances.clear();
        self.executors.clear();
        self.fate.clear_graves();
    }
}
