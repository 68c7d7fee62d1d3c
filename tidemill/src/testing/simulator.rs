//! Runs several instances of an application on one log. A seed determines their order and their faults.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use thiserror::Error;
use tidemill_state::{Codec, CodecError, Coded};

use super::{
    FaultRates,
    executors::{self, Calls, Executor, Seat},
    faults::Fate,
    instance::Instance,
    topics::partition_of,
};
use crate::{
    async_op::{AsyncCall, CallError, CallPolicy, CallRequest, Spending, ledger::Ledger},
    clock::{Clock, ManualClock},
    config::StreamsConfig,
    error::{TaskError, TopologyError},
    record::Data,
    runtime::Prepared,
    topology::Topology,
    transport::{
        TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

/// The settings of a simulation. See the example of [`FaultRates`](super::FaultRates).
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// The seed of all random choices: the same seed and the same calls give the same run.
    pub seed: u64,
    /// The number of instances. Each runs on its own simulated machine with its own disk. Default 2.
    pub instances: usize,
    /// The application's configuration. Default: application id `sim`, session timeout 500 ms, repartition topics
    /// purged every 300 ms, stores flushed every 300 ms, one stream thread in each instance.
    pub config: StreamsConfig,
    /// The number of partitions of every topic that is not in `partitions`. Default 3.
    pub default_partitions: i32,
    /// The number of partitions of single topics. The simulator also creates those that the topology does not name.
    pub partitions: BTreeMap<String, i32>,
    /// How often each fault occurs. Default [`FaultRates::default`].
    pub faults: FaultRates,
}

impl SimulatorOptions {
    /// The default options, with this seed. See the example of [`Simulator`].
    pub fn new(seed: u64) -> Self {
        let config = StreamsConfig {
            session_timeout: Duration::from_millis(500),
            repartition_purge_interval: Duration::from_millis(300),
            // A run is much shorter than the default flush interval.
            state_flush_interval: Duration::from_millis(300),
            ..StreamsConfig::new("sim")
        };
        let (partitions, faults) = (BTreeMap::new(), FaultRates::default());
        Self { seed, instances: 2, config, default_partitions: 3, partitions, faults }
    }
}

/// Why a simulation stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The application cannot start.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A thread ended with a lasting error, although the simulation causes only recoverable faults.
    #[error("a thread ended: {}", .0.chain())]
    Task(#[from] TaskError),
    /// A record of the test cannot be encoded, or a record of the application cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The log refused a request of the test.
    #[error(transparent)]
    Log(#[from] TransportError),
    /// The application does not finish its work although all faults have ended. Lists the partitions that are behind.
    #[error("the application does not finish its work; partitions behind: {0}")]
    Unsettled(String),
    /// An invariant is broken: a store differs from its changelog, or an executor makes a call for a partition that it
    /// does not own.
    #[error("{0}")]
    Differs(String),
}

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

/// The largest values seen during a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SimulationPeaks {
    /// Bytes of changes and records that waited for a commit, at the end of a turn, in any thread.
    pub uncommitted_bytes: usize,
    /// Records of one partition that were fetched and not processed, at the end of a turn.
    pub buffered_records: usize,
    /// The longest time that [`Simulator::settle`] took, in milliseconds, counted from the moment when all sessions of
    /// dead processes had expired.
    pub settling_ms: i64,
}

/// Longer than tombstones are kept.
const DAY: Duration = Duration::from_hours(25);

/// The most by which one fault changes the clock.
const HOUR_MS: u64 = 3_600_000;

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

    /// Appends a record to the partition of its key. `timestamp` is event time in milliseconds since the epoch. Records
    /// without a key go to all partitions in turn. See the example of [`Simulator`].
    ///
    /// # Errors
    ///
    /// If the record cannot be encoded, or if the topic does not exist.
    pub fn append<K: Coded, V: Coded>(
        &mut self,
        topic: &str,
        key: &K,
        value: &V,
        timestamp: i64,
    ) -> Result<(), SimulationError> {
        let codec = K::Codec::default();
        let key = codec.encode(key)?;
        let of_key = key.as_deref().map(|key| codec.partition_bytes(key));
        let partition = partition_of(&self.log, topic, of_key)?;
        let value = V::Codec::default().encode(value)?;
        self.log.append(topic, partition, [Entry { timestamp, key, value, ..Entry::default() }])?;
        Ok(())
    }

    /// Appends a record to every partition, for example a record so late in event time that it closes all windows.
    ///
    /// # Errors
    ///
    /// If the record cannot be encoded, or if the topic does not exist.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, StreamsBuilder, TimeWindows, Windowed, testing::{Simulator, SimulatorOptions}};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let views = builder.stream::<u64, i64>("views").group_by_key().windowed_by(minutes);
    /// views.emit(EmitStrategy::on_window_close()).count("per-minute").to_stream().to("counts");
    ///
    /// let mut simulator = Simulator::new(&builder.build()?, SimulatorOptions::new(42))?;
    /// for user in 1..=9_u64 {
    ///     simulator.append("views", &user, &0_i64, 0)?;
    ///     simulator.run(10)?;
    /// }
    /// simulator.append_everywhere("views", &0_u64, &0_i64, 60_000)?;
    /// simulator.settle()?;
    /// assert_eq!(simulator.read::<Windowed<u64>, i64>("counts")?.len(), 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_everywhere<K: Coded, V: Coded>(
        &mut self,
        topic: &str,
        key: &K,
        value: &V,
        timestamp: i64,
    ) -> Result<(), SimulationError> {
        let (key, value) = (K::Codec::default().encode(key)?, V::Codec::default().encode(value)?);
        for partition in 0..self.log.end_offsets(topic)?.len() as i32 {
            let (key, value) = (key.clone(), value.clone());
            self.log.append(topic, partition, [Entry { timestamp, key, value, ..Entry::default() }])?;
        }
        Ok(())
    }

    /// Runs `count` executors of a call beside the instances. They also stop and restart, and their calls are answered
    /// at random moments. A turn returns [`SimulationError::Differs`] if an executor makes a call for a partition that
    /// it does not own.
    ///
    /// ```
    /// # use tidemill::{AsyncCall, CallPolicy, StreamsBuilder, testing::{Simulator, SimulatorOptions}};
    /// # let builder = StreamsBuilder::new();
    /// let call = AsyncCall::<u64, i64, i64>::named("double");
    /// builder.stream::<u64, i64>("in").map_async(&call).map_values(|it| it.outcome.unwrap_or(-1)).to("out");
    ///
    /// let mut simulator = Simulator::new(&builder.build()?, SimulatorOptions::new(42))?;
    /// simulator.add_executors(&call, 2, &CallPolicy::default(), |request| Ok(2 * request.value));
    /// for number in 0..10 {
    ///     simulator.append("in", &(number as u64), &number, number)?;
    ///     simulator.run(10)?;
    /// }
    /// simulator.settle()?;
    /// let mut doubled: Vec<i64> = simulator.read::<u64, i64>("out")?.into_iter().map(|(_, _, value)| value).collect();
    /// doubled.sort();
    /// assert_eq!(doubled, (0..10).map(|number| 2 * number).collect::<Vec<_>>());
    /// // A crash may repeat a call. Its answer counts once all the same.
    /// assert_eq!(simulator.calls().len(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_executors<K, V, R>(
        &mut self,
        call: &AsyncCall<K, V, R>,
        count: usize,
        policy: &CallPolicy,
        answer: impl Fn(&CallRequest<K, V>) -> Result<R, CallError> + Clone + 'static,
    ) where
        K: Data + Coded + Send,
        V: Data + Send,
        R: Send + 'static,
    {
        let application_id = self.config.application_id.clone();
        for number in 0..count {
            self.executors.push(Box::new(Seat {
                name: format!("executor-{number}"),
                starts: 0,
                group: call.executor_group(&application_id),
                application_id: application_id.clone(),
                call: call.clone(),
                policy: policy.clone(),
                log: self.log.clone(),
                fate: self.fate.clone(),
                calls: self.calls.clone(),
                answer: answer.clone(),
                executor: None,
                open: Arc::default(),
            }));
        }
    }

    /// How often each request was called, by request id. See the example of [`Simulator::add_executors`].
    pub fn calls(&self) -> BTreeMap<Bytes, usize> {
        executors::lock(&self.calls).attempts.clone()
    }

    /// The most attempts that ran at the same time in all executors together, and the micros that all answered attempts
    /// consumed. Each consumes up to 100 micros. See the example of [`Simulator::spending`].
    pub fn attempts(&self) -> (usize, u64) {
        let calls = executors::lock(&self.calls);
        (calls.running_max, calls.consumed_micros)
    }

    /// What the ledger of a call says was spent.
    ///
    /// # Errors
    ///
    /// If the call has no ledger.
    ///
    /// ```
    /// # use tidemill::{AsyncCall, CallPolicy, StreamsBuilder};
    /// # use tidemill::testing::{FaultRates, Simulator, SimulatorOptions};
    /// # let builder = StreamsBuilder::new();
    /// # let call = AsyncCall::<u64, i64, i64>::named("double");
    /// # builder.stream::<u64, i64>("in").map_async(&call).map_values(|it| it.outcome.unwrap_or(-1)).to("out");
    /// # let options = SimulatorOptions { faults: FaultRates::NONE, ..SimulatorOptions::new(42) };
    /// let mut simulator = Simulator::new(&builder.build()?, options)?;
    /// let policy = CallPolicy { keep_ledger: true, ..CallPolicy::default() };
    /// simulator.add_executors(&call, 1, &policy, |request| Ok(2 * request.value));
    /// simulator.append("in", &7_u64, &21_i64, 0)?;
    /// simulator.settle()?;
    /// let spent: u64 = simulator.spending(&call)?.iter().map(|it| it.day.usage.cost_micros).sum();
    /// assert_eq!(simulator.attempts(), (1, spent));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spending<K, V, R>(&self, call: &AsyncCall<K, V, R>) -> Result<Vec<Spending>, SimulationError> {
        let mut ledger = Ledger::new("observer", Vec::new());
        let now_ms = self.fate.clock.now_ms();
        for (_, record) in self.log.read_all(&call.ledger_topic(&self.config.application_id))? {
            ledger.read(&record.key.unwrap_or_default(), record.value.as_deref(), now_ms);
        }
        Ok(ledger.spending(now_ms))
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

    /// Every record of a topic, as partition, key and value, sorted by partition and offset. Each call returns all
    /// records again. See the example of [`Simulator`].
    ///
    /// # Errors
    ///
    /// If the topic does not exist, or if a record cannot be decoded.
    pub fn read<K: Coded, V: Coded>(&self, topic: &str) -> Result<Vec<(i32, K, V)>, SimulationError> {
        let records = self.log.read_all(topic)?.into_iter();
        let decode = |(partition, record): (i32, crate::transport::ConsumedRecord)| {
            let key = K::Codec::default().decode_opt(record.key)?;
            Ok((partition, key, V::Codec::default().decode_opt(record.value)?))
        };
        records.map(decode).collect()
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

    /// One random turn.
    fn turn(&mut self) -> Result<(), SimulationError> {
        if self.instances.is_empty() {
            return Ok(());
        }
        self.instances.iter().for_each(Instance::trickle);
        if !self.executors.is_empty() && self.fate.below(3) == 0 {
            let at = self.fate.below(self.executors.len() as u64) as usize;
            self.executors[at].turn();
            return self.check_calls();
        }
        let at = self.fate.below(self.instances.len() as u64) as usize;
        let session_ms = self.config.session_timeout.as_millis() as u64;
        let fate = self.fate.clone();
        let instance = &mut self.instances[at];
        if !instance.is_up() {
            if fate.below(10) == 0 {
                instance.start()?;
            } else {
                fate.clock.advance(Duration::from_millis(fate.below(10)));
            }
            return Ok(());
        }
        let thread = fate.below(instance.threads() as u64) as usize;
        if fate.strikes(|rates| rates.crash) {
            instance.crash();
        } else if fate.strikes(|rates| rates.close) {
            instance.close();
        } else if fate.strikes(|rates| rates.pause) {
            instance.pause(thread, Duration::from_millis(fate.below(2 * session_ms)));
        } else if fate.strikes(|rates| rates.twin) {
            instance.duplicate()?;
        } else if fate.strikes(|rates| rates.cut_off) {
            instance.cut_off(Duration::from_millis(fate.below(2 * session_ms)));
        } else if fate.strikes(|rates| rates.maintenance) {
            fate.note("maintenance");
            self.log.maintain()?;
        } else if fate.strikes(|rates| rates.idle_day) {
            fate.note("a day passes");
            fate.clock.advance(DAY);
            self.log.maintain()?;
        } else if fate.strikes(|rates| rates.clock_set) {
            let by = Duration::from_millis(fate.below(HOUR_MS));
            let back = fate.below(2) == 0;
            fate.note(&format!("the wall clock is set {} by {by:?}", if back { "back" } else { "forward" }));
            // The clock must not go back before the epoch.
            let since_epoch = Duration::from_millis(fate.clock.now_ms().max(0).unsigned_abs());
            if back { fate.clock.set_back(by.min(since_epoch)) } else { fate.clock.set_forward(by) }
        } else if fate.below(4) == 0 {
            fate.clock.advance(Duration::from_millis(1 + fate.below(50)));
        } else {
            instance.step(thread, Duration::ZERO)?;
            self.peaks.count(instance.load());
        }
        Ok(())
    }

    fn check_calls(&self) -> Result<(), SimulationError> {
        let strays = executors::lock(&self.calls).strays.first().cloned();
        strays.map_or(Ok(()), |stray| Err(SimulationError::Differs(format!("call by the wrong executor: {stray}"))))
    }

    /// Gives each thread one turn. Returns whether there was work.
    fn step_all(&mut self, timeout: Duration) -> Result<bool, SimulationError> {
        let mut busy = false;
        for instance in &mut self.instances {
            for thread in 0..instance.threads() {
                busy |= instance.step(thread, timeout)? > 0;
            }
            busy |= !instance.is_idle();
            self.peaks.count(instance.load());
        }
        for executor in &mut self.executors {
            busy |= executor.turn() || executor.waits();
        }
        self.check_calls()?;
        Ok(busy)
    }

    /// Gives each thread one turn, and then moves the clock by a commit interval. Returns whether there was work.
    fn round(&mut self) -> Result<bool, SimulationError> {
        let busy = self.step_all(Duration::ZERO)?;
        // Longer than the commit interval and a tick, but shorter than a session.
        let interval = self.config.commit_interval.max(crate::runtime::TICK).min(self.config.session_timeout / 4);
        self.fate.clock.advance(interval);
        Ok(busy)
    }

    /// The partitions that are not processed to their end.
    fn behind(&mut self) -> String {
        let mut lags = self.log.group_lag(&self.config.application_id);
        let stopped: Vec<_> = self.instances.iter_mut().flat_map(Instance::stopped).collect();
        lags.retain(|lag| !stopped.contains(&lag.partition));
        if let Some(executor) = self.executors.first() {
            lags.extend(self.log.group_lag(executor.group()));
        }
        let behind = lags.iter().filter(|lag| lag.lag > 0 || lag.member.is_none());
        let texts: Vec<_> = behind.map(|lag| format!("{} by {} ({:?})", lag.partition, lag.lag, lag.member)).collect();
        texts.join(", ")
    }
}

impl SimulationPeaks {
    fn count(&mut self, (uncommitted_bytes, buffered_records): (usize, usize)) {
        self.uncommitted_bytes = self.uncommitted_bytes.max(uncommitted_bytes);
        self.buffered_records = self.buffered_records.max(buffered_records);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.instances.clear();
        self.executors.clear();
        self.fate.clear_graves();
    }
}
