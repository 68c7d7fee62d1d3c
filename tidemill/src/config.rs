//! The configuration of an application.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{graph::problem_with_name, handlers::RecordHandler};

/// The effect that a crash may have on results (`processing.guarantee` in Kafka Streams).
///
/// ```
/// use tidemill::{ProcessingGuarantee, StreamsConfig};
///
/// let config = StreamsConfig::new("orders");
/// assert_eq!(config.processing_guarantee, ProcessingGuarantee::ExactlyOnce);
/// let faster = StreamsConfig { processing_guarantee: ProcessingGuarantee::AtLeastOnce, ..config };
/// # drop(faster);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessingGuarantee {
    /// Outputs, state and input offsets are committed together in a transaction. No record is lost, and none counts
    /// twice.
    #[default]
    ExactlyOnce,
    /// No record is lost, but records since the last commit may be processed again. A thread may hang until its session
    /// has expired, and then continue in the middle of a commit. Such a thread may overwrite newer state with older
    /// state. The task's present owner writes its state again with one of its next commits. If the task moves before
    /// that, the older state stays. Only a transaction prevents this.
    AtLeastOnce,
}

/// The reaction to a task that cannot process a record. Kafka Streams asks its `StreamsUncaughtExceptionHandler`
/// (KIP-671), which stops or replaces threads; a single task cannot stop there. For errors of records, the handlers
/// decide first.
///
/// ```
/// # use tidemill::{StreamsConfig, TaskFailureAction, TaskState, testing::DriverOptions};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// builder.stream::<u64, i64>("orders").map_values(|cents| 1_000 / cents).to("ratios");
///
/// let config = StreamsConfig { on_task_failure: TaskFailureAction::StopTask, ..StreamsConfig::new("test") };
/// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
/// driver.input::<u64, i64>("orders").pipe(1, 0, 0)?; // A panic: division by zero.
/// let TaskState::Failed { error } = &driver.status()?.tasks[0].state else { panic!("it failed") };
/// assert!(error.contains("topic 'orders', partition 0, offset 0"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskFailureAction {
    /// The instance stops, and its tasks move to other instances.
    #[default]
    StopInstance,
    /// The task stops at the record. The instance's other tasks continue.
    StopTask,
    /// The thread is replaced, and the record is tried again (`REPLACE_THREAD` in Kafka Streams), also after a panic. If
    /// that does not help after [`max_thread_replacements`](StreamsConfig::max_thread_replacements) times, the instance
    /// stops.
    ReplaceThread,
}

/// The configuration of an application (`StreamsConfig` in Kafka Streams). Durations are wall time.
///
/// [`StreamsConfig::new`] gives the defaults; change fields with the syntax of structs. A wrong value is an error at
/// the start, together with all other problems.
///
/// ```
/// use std::time::Duration;
/// use tidemill::{RecordHandler, StreamsConfig};
///
/// let config = StreamsConfig {
///     num_stream_threads: 4,
///     commit_interval: Duration::from_millis(20),
///     deserialization_handler: RecordHandler::DeadLetter("bad-orders".into()),
///     ..StreamsConfig::new("orders")
/// };
/// assert_eq!(config.session_timeout, Duration::from_secs(45));
/// ```
#[derive(Debug, Clone)]
pub struct StreamsConfig {
    /// Names the consumer group, internal topics and the state folder (`application.id` in Kafka Streams). All
    /// instances of one application use the same id.
    pub application_id: String,
    /// The name of this instance and its threads, for display (`client.id` in Kafka Streams). Default `None`: a name is
    /// generated. The name need not be unique: another id tells instances apart. That id is kept in `state_dir`, or
    /// generated at each start without a `state_dir`.
    pub client_id: Option<String>,
    /// Makes this instance's threads static members of the group (KIP-345, `group.instance.id`). If the instance
    /// restarts under the same name within the session time-out, it keeps its tasks, and the tasks of other instances
    /// do not move. Each instance needs a different name. Default none.
    pub group_instance_id: Option<String>,
    /// The number of stream threads of this instance (`num.stream.threads` in Kafka Streams). At least 1. Default 1.
    pub num_stream_threads: usize,
    /// The processing guarantee (`processing.guarantee` in Kafka Streams, where the default is at least once). Default
    /// exactly once.
    pub processing_guarantee: ProcessingGuarantee,
    /// The time between two commits (`commit.interval.ms` in Kafka Streams). With exactly once, results become visible
    /// with the commit. Default 100 ms, as in Kafka Streams with exactly once.
    pub commit_interval: Duration,
    /// A thread commits early if its uncommitted state reaches this many bytes (`statestore.uncommitted.max.bytes` of
    /// KIP-892). At least 1. Default 64 MiB.
    pub max_uncommitted_bytes: usize,
    /// The folder of persistent stores (`state.dir` in Kafka Streams). Default `None`: stores are in memory and are
    /// rebuilt from changelogs at every start. Needs the feature `rocksdb`.
    pub state_dir: Option<PathBuf>,
    /// The longest time until committed state begins to be flushed to disk in the background. After a kill, the process
    /// replays newer changes from its changelogs, and also those of the seconds that a flush takes. Default 20 s.
    pub state_flush_interval: Duration,
    /// The memory for RocksDB's block cache and memtables, for all stores of this instance together. At least 1 MiB.
    /// Default 256 MiB.
    pub store_memory_bytes: usize,
    /// Fetching from an input partition pauses at this many buffered records (`buffered.records.per.partition` in Kafka
    /// Streams). At least 1. Default 1000.
    pub max_buffered_records: usize,
    /// How long a task with several inputs waits for records of an empty input after it has fetched all of the input's
    /// records (`max.task.idle.ms` in Kafka Streams, KIP-695). Default `Some(ZERO)`: the task waits only while there
    /// are more records to fetch. `None`, which is -1 in Kafka Streams: the task never waits.
    pub max_task_idle: Option<Duration>,
    /// The handler for records whose bytes cannot be decoded (`deserialization.exception.handler` in Kafka Streams).
    /// Default fail.
    pub deserialization_handler: RecordHandler,
    /// The handler for records and punctuations for which an operator returns an error (`processing.exception.handler`
    /// in Kafka Streams, KIP-1033). A panic always fails the task. Default fail.
    pub processing_handler: RecordHandler,
    /// The handler for records whose result the log does not take: it is larger than the log allows for the topic, or
    /// it has no key although the topic is compacted (`production.exception.handler` in Kafka Streams, KIP-210).
    /// Default fail.
    ///
    /// The step that writes the topic asks before anything is sent, by the limits of the topic at the start of the
    /// instance. So the transaction goes on, and the input record leaves no trace at all. In Kafka Streams, only the
    /// output is missing, and with exactly-once the transaction fails.
    pub production_handler: RecordHandler,
    /// How many times a thread is replaced for one record or one punctuation before its task fails. A place that has
    /// not failed for ten minutes begins anew. Kafka Streams has no limit. Default 3.
    pub max_thread_replacements: u32,
    /// The reaction to a failed task. Default stop the instance.
    pub on_task_failure: TaskFailureAction,
    /// A thread that does not poll for this long loses its partitions (`max.poll.interval.ms`). The thread polls in
    /// time, however long its records take together. If a single record takes longer than this twice, its task fails.
    /// Must be longer than `poll_timeout`. Default 45 s.
    pub session_timeout: Duration,
    /// The `host:port` at which this instance answers queries (`application.server` in Kafka Streams). The library only
    /// tells the address to the other instances. Default none.
    pub application_server: Option<String>,
    /// The number of standbys: other instances that keep copies of each task's stores (`num.standby.replicas` in Kafka
    /// Streams). If the task's owner stops, one of them takes over and replays only the changelog's tail. Each standby
    /// costs memory, disk and reading. Default 0.
    pub num_standby_replicas: usize,
    /// The other instances count an instance as gone if it sends no heartbeat for this long: it gets no standbys and no
    /// queries. Each instance sends five heartbeats in this time. At least 10 ms. Default 15 s.
    pub member_timeout: Duration,
    /// How long a query waits for a thread's answer. A thread answers between two turns, and a slow record can make a
    /// turn long. Longer than 0. Default 10 s.
    pub query_timeout: Duration,
    /// How long a poll waits for records. A wall-clock tick is late by at most this time. Default 50 ms.
    pub poll_timeout: Duration,
    /// How often records that are no longer needed are deleted: processed records of repartition topics, and changelog
    /// records of expired windows (`repartition.purge.interval.ms` in Kafka Streams). Default 30 s.
    pub repartition_purge_interval: Duration,
    /// How often the topics of the log are looked at, if the topology reads a pattern of topics or may write any topic
    /// (`metadata.max.age.ms` in Kafka). Each stream thread then takes up topics that have appeared or gone. Default
    /// 5 min.
    pub metadata_max_age: Duration,
    /// Whether processed responses of asynchronous steps stay on their topics, for a journal of calls. Whoever sets this
    /// deletes them: no retention does. Default false. Kafka Streams has no such setting.
    pub keep_responses: bool,
    /// Settings of the application for its own processors, which read them with
    /// [`application_setting`](crate::processor::ProcessingContext::application_setting) (`appConfigs` in Kafka
    /// Streams). The engine reads none of them. Default none.
    pub application_settings: BTreeMap<String, String>,
}

impl StreamsConfig {
    /// The default configuration for an application id (`application.id` in Kafka Streams). The id may hold ASCII
    /// letters, digits, `.`, `_` and `-`, at most 200 characters; the start of the application checks it.
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # log.create("orders", 1)?;
    /// builder.stream::<u64, i64>("orders");
    /// let config = StreamsConfig { num_stream_threads: 0, ..StreamsConfig::new("my orders") };
    /// let error = Streams::start(&builder.build()?, config, log).err().expect("two problems");
    /// assert_eq!(error.problems().len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(application_id: impl Into<String>) -> Self {
        Self {
            application_id: application_id.into(),
            client_id: None,
            group_instance_id: None,
            num_stream_threads: 1,
            processing_guarantee: ProcessingGuarantee::default(),
            commit_interval: Duration::from_millis(100),
            max_uncommitted_bytes: 64 << 20,
            state_dir: None,
            state_flush_interval: Duration::from_secs(20),
            store_memory_bytes: 256 << 20,
            max_buffered_records: 1000,
            max_task_idle: Some(Duration::ZERO),
            deserialization_handler: RecordHandler::default(),
            processing_handler: RecordHandler::default(),
            production_handler: RecordHandler::default(),
            max_thread_replacements: 3,
            on_task_failure: TaskFailureAction::default(),
            session_timeout: Duration::from_secs(45),
            application_server: None,
            num_standby_replicas: 0,
            member_timeout: Duration::from_secs(15),
            query_timeout: Duration::from_secs(10),
            poll_timeout: Duration::from_millis(50),
            repartition_purge_interval: Duration::from_secs(30),
            metadata_max_age: Duration::from_mins(5),
            keep_responses: false,
            application_settings: BTreeMap::new(),
        }
    }

    /// The same configuration with one more setting of the application. An earlier value of the key is replaced.
    ///
    /// ```
    /// use tidemill::StreamsConfig;
    ///
    /// let config = StreamsConfig::new("shop").application_setting("site", "Berlin");
    /// assert_eq!(config.application_settings["site"], "Berlin");
    /// ```
    pub fn application_setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.application_settings.insert(key.into(), value.into());
        self
    }

    /// The problems of the configuration, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(problem_with_name("application id", &self.application_id));
        problems.extend(self.client_id.as_ref().and_then(|id| problem_with_name("client id", id)));
        problems.extend(self.group_instance_id.as_ref().and_then(|id| problem_with_name("group instance id", id)));
        for topic in self.dead_letter_topics() {
            problems.extend(problem_with_name("dead-letter topic name", topic));
        }
        let positive = [
            (self.num_stream_threads == 0, "num_stream_threads must be at least 1"),
            (self.max_buffered_records == 0, "max_buffered_records must be at least 1"),
            (self.max_uncommitted_bytes == 0, "max_uncommitted_bytes must be at least 1"),
            (self.query_timeout.is_zero(), "query_timeout must be longer than 0"),
            (self.session_timeout.is_zero(), "session_timeout must be longer than 0"),
            (self.session_timeout <= self.poll_timeout, "session_timeout must be longer than poll_timeout"),
            (self.store_memory_bytes < 1 << 20, "store_memory_bytes must be at least 1 MiB"),
        ];
        problems.extend(positive.into_iter().filter(|(wrong, _)| *wrong).map(|(_, problem)| problem.to_owned()));
        if self.member_timeout < Duration::from_millis(10) {
            problems.push("member_timeout must be at least 10 ms".into());
        }
        if let Some(address) = self.application_server.as_ref().filter(|address| !is_address(address)) {
            problems.push(format!("application_server must be host:port, not '{address}'"));
        }
        if cfg!(not(feature = "rocksdb")) && self.state_dir.is_some() {
            problems.push("state_dir is set, but this build has no RocksDB: enable the feature `rocksdb`".into());
        }
        problems
    }

    pub(crate) fn dead_letter_topics(&self) -> impl Iterator<Item = &str> {
        let handlers = [&self.deserialization_handler, &self.processing_handler, &self.production_handler];
        handlers.into_iter().flat_map(RecordHandler::dead_letter_topics).map(String::as_str)
    }
}

fn is_address(text: &str) -> bool {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    text.rsplit_once(':').is_some_and(|(host, number)| {
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/') && port(number)
    })
}
