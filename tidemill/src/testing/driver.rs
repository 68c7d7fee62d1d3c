//! Runs a topology step by step on an in-memory log: the production threads and tasks, under a clock moved by hand.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use tidemill_state::{Coded, KeyValueStore, WindowedStore};

use super::{TestInputTopic, TestOutputTopic};
use crate::{
    clock::ManualClock,
    config::StreamsConfig,
    error::{TaskError, TopologyError},
    graph::NodeKind,
    operators::StoreHandle,
    plan::Plan,
    record::Data,
    runtime::{Prepared, StreamThread, ThreadStatus},
    topology::Topology,
    transport::embedded::EmbeddedLog,
};

/// How a driver is set up.
#[derive(Debug, Clone)]
pub struct DriverOptions {
    /// How the application runs. The commit interval is ignored, for the driver commits after every step, and so is
    /// the session timeout.
    pub config: StreamsConfig,
    /// Partitions of every topic that `partitions` does not name. Default 1.
    pub default_partitions: i32,
    /// Partitions of single topics.
    pub partitions: BTreeMap<String, i32>,
    /// Wall time at the start, milliseconds since the epoch. Default 0.
    pub wall_time_ms: i64,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self { config: StreamsConfig::new("test"), default_partitions: 1, partitions: BTreeMap::new(), wall_time_ms: 0 }
    }
}

impl DriverOptions {
    /// Sets the partitions of every topic that is not named.
    pub fn partitions(self, default_partitions: i32) -> Self {
        Self { default_partitions, ..self }
    }
}

/// Pipes records into a topology and reads what comes out. Nothing happens but what the test does.
///
/// ```
/// use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("in").map_values(|text| text.len() as i64).to("out");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<String, String>("in").pipe("k".into(), "four".into(), 0)?;
/// assert_eq!(driver.output::<String, i64>("out").read_values()?, [4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TopologyTestDriver {
    pub(super) core: Rc<Core>,
}

/// What the driver and its topics share.
pub(super) struct Core {
    pub(super) log: EmbeddedLog,
    pub(super) clock: ManualClock,
    app: Prepared,
    thread: RefCell<Option<StreamThread>>,
}

impl TopologyTestDriver {
    /// One partition a topic, default configuration.
    ///
    /// # Errors
    /// As [`Streams::start`](crate::Streams::start).
    pub fn new(topology: &Topology) -> Result<Self, TopologyError> {
        Self::with(topology, DriverOptions::default())
    }

    /// A driver with options.
    ///
    /// # Errors
    /// As [`Streams::start`](crate::Streams::start).
    pub fn with(topology: &Topology, options: DriverOptions) -> Result<Self, TopologyError> {
        let clock = ManualClock::new(options.wall_time_ms);
        let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
        let topics = topology.nodes().iter().filter_map(|node| match &node.kind {
            NodeKind::Source(topic) | NodeKind::Sink(topic) => Some(topic.to_string()),
            _ => None,
        });
        let dead_letters = options.config.dead_letter_topics().map(ToOwned::to_owned);
        for topic in topics.chain(dead_letters) {
            let partitions = options.partitions.get(&topic).copied().unwrap_or(options.default_partitions);
            // Read and written, a topic is named twice.
            let _ = log.create(&topic, partitions);
        }
        let transport = Arc::new(log.clone());
        let client = "driver".to_owned();
        // Moving the clock by hand is not being silent.
        let config = StreamsConfig { session_timeout: Duration::MAX, ..options.config };
        let app = Prepared::new(topology, config, transport, Arc::new(clock.clone()), client)?;
        let core = Rc::new(Core { log, clock, app, thread: RefCell::new(None) });
        Ok(Self { core })
    }

    /// A topic to pipe records into.
    pub fn input<K: Coded + Data, V: Coded + Data>(&self, topic: &str) -> TestInputTopic<K, V> {
        TestInputTopic::new(self.core.clone(), topic)
    }

    /// A topic to read records from, each once.
    pub fn output<K: Coded + Data, V: Coded + Data>(&self, topic: &str) -> TestOutputTopic<K, V> {
        TestOutputTopic::new(self.core.clone(), topic)
    }

    /// Moves the wall clock and lets the application notice.
    ///
    /// # Errors
    /// If a task fails.
    pub fn advance_wall_clock(&self, by: Duration) -> Result<(), TaskError> {
        self.core.run()?;
        self.core.clock.advance(by);
        self.core.run()
    }

    /// Drops the application as a crash would, with everything uncommitted and all state in memory. It starts again,
    /// and restores, with the next step.
    pub fn crash(&self) {
        drop(self.core.thread.borrow_mut().take());
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Plan {
        &self.core.app.plan
    }

    /// The log below, for records and offsets of any topic.
    pub fn log(&self) -> &EmbeddedLog {
        &self.core.log
    }

    /// Tasks, positions, stores and counters.
    ///
    /// # Errors
    /// If a task fails.
    pub fn status(&self) -> Result<ThreadStatus, TaskError> {
        self.core.run()?;
        self.core.with_thread(|thread| Ok(thread.report()))
    }

    /// A key-value store of a partition's task.
    ///
    /// # Errors
    /// If a task fails. `Ok(None)` if no task of that partition has such a store.
    pub fn key_value_store<K: Coded, V: Coded>(
        &self,
        name: &str,
        partition: i32,
    ) -> Result<Option<KeyValueStore<K, V>>, TaskError> {
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::KeyValue(store)) => {
                Some(KeyValueStore::new(store, Arc::new(K::Codec::default()), Arc::new(V::Codec::default())))
            }
            _ => None,
        })
    }

    /// A window store of a partition's task.
    ///
    /// # Errors
    /// If a task fails. `Ok(None)` if no task of that partition has such a store.
    pub fn window_store<K: Coded, V: Coded>(
        &self,
        name: &str,
        partition: i32,
    ) -> Result<Option<WindowedStore<K, V>>, TaskError> {
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::Window(store)) => {
                Some(WindowedStore::new(store, Arc::new(K::Codec::default()), Arc::new(V::Codec::default())))
            }
            _ => None,
        })
    }

    fn store(&self, name: &str, partition: i32) -> Result<Option<StoreHandle>, TaskError> {
        self.core.run()?;
        self.core.with_thread(|thread| {
            let stores = thread.stores()?;
            let task = stores.iter().find(|task| task.task.partition == partition && task.handles.contains_key(name));
            Ok(task.map(|task| task.handles[name].clone()))
        })
    }
}

impl Core {
    /// Turns the thread's loop until there is nothing left to do, committing as it goes. What a tick makes may be
    /// another subtopology's input, and its note of idle time lets windows close there with the next tick.
    pub(super) fn run(&self) -> Result<(), TaskError> {
        self.with_thread(|thread| {
            let mut last = None;
            loop {
                let mut quiet = 0;
                while quiet < 2 {
                    let done = thread.step(Duration::ZERO)?;
                    thread.commit_now()?;
                    quiet = if done == 0 && thread.is_idle() { quiet + 1 } else { 0 };
                }
                if last.replace(thread.status.commits) == Some(thread.status.commits) {
                    return Ok(());
                }
                thread.tick_now()?;
                thread.commit_now()?;
            }
        })
    }

    fn with_thread<R>(&self, run: impl FnOnce(&mut StreamThread) -> Result<R, TaskError>) -> Result<R, TaskError> {
        let mut slot = self.thread.borrow_mut();
        let thread = match &mut *slot {
            Some(thread) => thread,
            empty => empty.insert(StreamThread::start(self.app.clone(), "driver".to_owned())?),
        };
        let done = run(thread);
        if done.is_err() {
            *slot = None;
        }
        done
    }
}
