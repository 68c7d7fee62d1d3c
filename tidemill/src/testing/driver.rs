//! Runs a topology step by step on an in-memory log, with the production threads and tasks and a manual clock.

mod options;
mod run;
mod stores;

pub use options::DriverOptions;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use tidemill_state::Coded;

use super::{TestInputTopic, TestOutputTopic};
use crate::{
    clock::ManualClock,
    config::StreamsConfig,
    error::{TaskError, TopologyError},
    plan::Plan,
    record::Data,
    runtime::{GlobalThread, Prepared, StreamThread, ThreadStatus},
    topology::Topology,
    transport::embedded::EmbeddedLog,
};

/// Writes records to a topology's inputs and reads its outputs (`TopologyTestDriver` in Kafka Streams). The application
/// runs only when the test calls the driver.
///
/// It runs the production threads and tasks on an embedded log, with a wall clock that only the test moves. Each step
/// processes all waiting records and commits, so results are visible at once. Topics may have several partitions; in
/// Kafka Streams each topic of a driver has one.
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
    globals: RefCell<Option<Vec<GlobalThread>>>,
}

impl TopologyTestDriver {
    /// A driver with one partition for each topic and the default configuration, with the application id `test`. It
    /// creates all topics of the topology. See the example of [`TopologyTestDriver`].
    ///
    /// # Errors
    ///
    /// As [`Streams::start`](crate::Streams::start).
    pub fn new(topology: &Topology) -> Result<Self, TopologyError> {
        Self::with(topology, DriverOptions::default())
    }

    /// A driver with these options. See the example of [`DriverOptions`].
    ///
    /// # Errors
    ///
    /// As [`Streams::start`](crate::Streams::start).
    pub fn with(topology: &Topology, options: DriverOptions) -> Result<Self, TopologyError> {
        let clock = ManualClock::new(options.wall_time_ms);
        let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
        let topics = topology.nodes().iter().flat_map(|node| node.kind.user_topics()).map(ToString::to_string);
        let dead_letters = options.config.dead_letter_topics().map(ToOwned::to_owned);
        for topic in topics.chain(dead_letters).chain(options.partitions.keys().cloned()) {
            let partitions = options.partitions.get(&topic).copied().unwrap_or(options.default_partitions);
            // A topic that is both read and written appears twice.
            let _ = log.create(&topic, partitions);
        }
        let transport = Arc::new(log.clone());
        let client = "driver".to_owned();
        // Members must not lose their session when a test moves the clock.
        let config = StreamsConfig { session_timeout: Duration::MAX, ..options.config };
        let app = Prepared::new(topology, config, transport, Arc::new(clock.clone()), client)?;
        let core = Rc::new(Core { log, clock, app, thread: RefCell::default(), globals: RefCell::default() });
        Ok(Self { core })
    }

    /// An input topic of the test (`createInputTopic` in Kafka Streams). Keys and values use the default codecs of
    /// their types, which need not be the types of the stream: `Option<V>` writes tombstones, too.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.table::<u64, String>("users", "names");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let users = driver.input::<u64, Option<String>>("users");
    /// users.pipe_all([(1, Some("Ann".into()), 0), (1, None, 1)])?;
    /// assert_eq!(driver.key_value_store::<u64, String>("names", 0)?.expect("it runs").get(&1)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn input<K: Coded + Data, V: Coded + Data>(&self, topic: &str) -> TestInputTopic<K, V> {
        TestInputTopic::new(self.core.clone(), topic)
    }

    /// An output topic of the test (`createOutputTopic` in Kafka Streams). It returns each record once. Any topic of
    /// the application can be read, also an internal one.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let by_item = builder.stream::<u64, String>("orders").select_key(|_, item| item.clone()).repartition("by-item");
    /// by_item.group_by_key().count("sold");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("orders").pipe(1, "tea".into(), 0)?;
    /// let changelog = driver.output::<String, i64>("test-sold-changelog");
    /// assert_eq!(changelog.read()?, [("tea".to_owned(), 1, 0)]);
    /// assert!(changelog.read()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn output<K: Coded + Data, V: Coded + Data>(&self, topic: &str) -> TestOutputTopic<K, V> {
        TestOutputTopic::new(self.core.clone(), topic)
    }

    /// Moves the wall clock forward and runs the application (`advanceWallClockTime` in Kafka Streams). Punctuations by
    /// wall time and idle windows become due. Punctuations that were missed in between are combined into one.
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{JoinWindows, testing::TopologyTestDriver, StreamsBuilder};
    /// # let builder = StreamsBuilder::new();
    /// let (orders, paid) = (builder.stream::<u64, String>("orders"), builder.stream::<u64, i64>("payments"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// let windows = windows.idle_after(Duration::from_secs(60));
    /// let status = |_: &u64, item: &String, cents: Option<&i64>| format!("{item} {cents:?}");
    /// orders.left_join_stream(&paid, windows, "order-payment", status).to("statuses");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("orders").pipe(1, "tea".into(), 0)?;
    /// let statuses = driver.output::<u64, String>("statuses");
    /// driver.advance_wall_clock(Duration::from_secs(59))?;
    /// assert!(statuses.read()?.is_empty());
    /// driver.advance_wall_clock(Duration::from_secs(1))?;
    /// assert_eq!(statuses.read_values()?, ["tea None"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advance_wall_clock(&self, by: Duration) -> Result<(), TaskError> {
        self.core.run()?;
        self.core.clock.advance(by);
        self.core.run()
    }

    /// Drops the application as in a crash: uncommitted work and in-memory state are lost. It restarts and restores its
    /// state in the next step. Kafka Streams' driver cannot do this.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let chat = driver.input::<u64, String>("chat");
    /// chat.pipe(1, "hi".into(), 0)?;
    /// driver.crash();
    /// chat.pipe(1, "still here".into(), 1)?;
    /// assert_eq!(driver.output::<u64, i64>("counts").read_values()?, [1, 2]);
    /// assert_eq!(driver.status()?.records_restored, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn crash(&self) {
        drop(self.core.thread.borrow_mut().take());
        drop(self.core.globals.borrow_mut().take());
    }

    /// The plan of the application.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").group_by_key().count("messages");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let text = driver.plan().describe();
    /// assert!(text.contains("store messages (key-value, persistent, changelog: test-messages-changelog)"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plan(&self) -> &Plan {
        &self.core.app.plan
    }

    /// The log, for reading records and offsets of any topic.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe(1, "hi".into(), 5)?;
    /// let (partition, record) = driver.log().read_all("copy")?.remove(0);
    /// assert_eq!((partition, record.timestamp, record.value.as_deref()), (0, 5, Some(&b"hi"[..])));
    /// assert_eq!(driver.log().group_lag("test")[0].lag, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn log(&self) -> &EmbeddedLog {
        &self.core.log
    }

    /// A report of the tasks, positions, stores and counters. Global stores come last, each as a task of its own.
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<Option<u64>, String>("chat").drop_null_keys().to("named");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<Option<u64>, String>("chat").pipe_all([(Some(1), "hi".into(), 7), (None, "who?".into(), 3)])?;
    /// let task = &driver.status()?.tasks[0];
    /// assert_eq!((task.records_processed, task.stream_time_ms), (2, 7));
    /// assert_eq!(task.records_dropped, [("drop-null-keys-1".to_owned(), "null-key", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn status(&self) -> Result<ThreadStatus, TaskError> {
        self.core.run()?;
        let mut status = self.core.with_thread(|thread| Ok(thread.report()))?;
        let globals = self.core.globals.borrow();
        status.tasks.extend(globals.iter().flatten().flat_map(|global| global.report().tasks));
        Ok(status)
    }
}
