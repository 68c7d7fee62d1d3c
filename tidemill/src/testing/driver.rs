//! Runs a topology step by step on an in-memory log, with the production threads and tasks and a manual clock.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use tidemill_state::{Coded, KeyValueStore, WindowStore};

use super::{TestInputTopic, TestOutputTopic};
use crate::{
    clock::ManualClock,
    config::StreamsConfig,
    error::{TaskError, TopologyError},
    graph::NodeKind,
    names::ThreadName,
    operators::StoreHandle,
    plan::Plan,
    record::Data,
    runtime::{Prepared, StreamThread, ThreadStatus},
    topology::Topology,
    transport::embedded::EmbeddedLog,
};

/// The settings of a driver.
#[derive(Debug, Clone)]
pub struct DriverOptions {
    /// The application's configuration. The driver ignores the commit interval, because it commits after every step. It
    /// also ignores the session timeout.
    pub config: StreamsConfig,
    /// The number of partitions of every topic that is not in `partitions`. Default 1.
    pub default_partitions: i32,
    /// The number of partitions of single topics.
    pub partitions: BTreeMap<String, i32>,
    /// The wall time at the start, in milliseconds since the epoch. Default 0.
    pub wall_time_ms: i64,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self { config: StreamsConfig::new("test"), default_partitions: 1, partitions: BTreeMap::new(), wall_time_ms: 0 }
    }
}

impl DriverOptions {
    /// Sets the number of partitions of every topic that is not in `partitions`.
    pub fn partitions(self, default_partitions: i32) -> Self {
        Self { default_partitions, ..self }
    }
}

/// Writes records to a topology's inputs and reads its outputs. The application runs only when the test calls the
/// driver.
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

/// State shared by the driver and its topics.
pub(super) struct Core {
    pub(super) log: EmbeddedLog,
    pub(super) clock: ManualClock,
    app: Prepared,
    thread: RefCell<Option<StreamThread>>,
}

impl TopologyTestDriver {
    /// A driver with one partition for each topic and the default configuration.
    ///
    /// # Errors
    /// As [`Streams::start`](crate::Streams::start).
    pub fn new(topology: &Topology) -> Result<Self, TopologyError> {
        Self::with(topology, DriverOptions::default())
    }

    /// A driver with these options.
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
            // A topic that is both read and written appears twice.
            let _ = log.create(&topic, partitions);
        }
        let transport = Arc::new(log.clone());
        let client = "driver".to_owned();
        // Members must not lose their session when a test moves the clock.
        let config = StreamsConfig { session_timeout: Duration::MAX, ..options.config };
        let app = Prepared::new(topology, config, transport, Arc::new(clock.clone()), client)?;
        let core = Rc::new(Core { log, clock, app, thread: RefCell::new(None) });
        Ok(Self { core })
    }

    /// An input topic of the test.
    pub fn input<K: Coded + Data, V: Coded + Data>(&self, topic: &str) -> TestInputTopic<K, V> {
        TestInputTopic::new(self.core.clone(), topic)
    }

    /// An output topic of the test. It returns each record once.
    pub fn output<K: Coded + Data, V: Coded + Data>(&self, topic: &str) -> TestOutputTopic<K, V> {
        TestOutputTopic::new(self.core.clone(), topic)
    }

    /// Moves the wall clock forward and runs the application.
    ///
    /// # Errors
    /// If a task fails.
    pub fn advance_wall_clock(&self, by: Duration) -> Result<(), TaskError> {
        self.core.run()?;
        self.core.clock.advance(by);
        self.core.run()
    }

    /// Drops the application as in a crash: uncommitted work and in-memory state are lost. It restarts and restores its
    /// state in the next step.
    pub fn crash(&self) {
        drop(self.core.thread.borrow_mut().take());
    }

    /// The plan of the application.
    pub fn plan(&self) -> &Plan {
        &self.core.app.plan
    }

    /// The log, for reading records and offsets of any topic.
    pub fn log(&self) -> &EmbeddedLog {
        &self.core.log
    }

    /// A report of the tasks, positions, stores and counters.
    ///
    /// # Errors
    /// If a task fails.
    pub fn status(&self) -> Result<ThreadStatus, TaskError> {
        self.core.run()?;
        self.core.with_thread(|thread| Ok(thread.report()))
    }

    /// The key-value store of a task, by partition. `None` if no task of that partition has this store.
    ///
    /// # Errors
    /// If a task fails.
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

    /// The window store of a task, by partition. `None` if no task of that partition has this store.
    ///
    /// # Errors
    /// If a task fails.
    pub fn window_store<K: Coded, V: Coded>(
        &self,
        name: &str,
        partition: i32,
    ) -> Result<Option<WindowStore<K, V>>, TaskError> {
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::Window(store)) => {
                Some(WindowStore::new(store, Arc::new(K::Codec::default()), Arc::new(V::Codec::default())))
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
    /// Runs the thread's loop until no work is left, and commits after each turn. A punctuation may produce input for
    /// another subtopology. A note of idle time closes that subtopology's windows at its next punctuation.
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
            empty => empty.insert(StreamThread::start(self.app.clone(), ThreadName::new("driver", 0))?),
        };
        let done = run(thread);
        if done.is_err() {
            *slot = None;
        }
        done
    }
}
