//! How an application runs.

use std::{path::PathBuf, time::Duration};

use crate::graph::problem_with_name;

/// What a crash may do to results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessingGuarantee {
    /// Outputs, state and input offsets commit together, in a transaction: nothing lost, nothing twice.
    #[default]
    ExactlyOnce,
    /// Nothing is lost; what was done since the last commit may be done again. A thread that hangs past its session's
    /// end and goes on in the middle of a commit may put older state over newer: only a transaction stops it.
    AtLeastOnce,
}

/// What happens to a record that cannot be processed, or to a punctuation that fails.
///
/// With [`Skip`](Self::Skip) and [`DeadLetter`](Self::DeadLetter) a record that an operator refuses leaves nothing:
/// whatever it did to stores, windows, times and outputs is undone, in all branches, so that results are those of an
/// input without it. Windows that it would have closed close with the next record, or by silence. A result that no
/// single record made, such as that of a window, is left out by itself if it is refused, and counted; it has no dead
/// letter. Fields of a processor of one's own are not undone: what must follow its records belongs in a store.
///
/// What that costs: each change of a store is noted until the record is done, and aggregates are encoded with each
/// record instead of once a commit. [`Fail`](Self::Fail) costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RecordHandler {
    /// The task fails, as [`StreamsConfig::on_task_failure`] says.
    #[default]
    Fail,
    /// The record is logged, counted and left out.
    Skip,
    /// The record goes to this topic, as it came, with headers that tell why (KIP-1034), in the same transaction.
    DeadLetter(String),
}

/// What happens when a task cannot get past a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskFailureAction {
    /// The instance stops; its tasks move to others.
    #[default]
    StopInstance,
    /// The task stops where it is; the instance's other tasks go on.
    StopTask,
}

/// How an application runs. Durations are wall time.
#[derive(Debug, Clone)]
pub struct StreamsConfig {
    /// Names the consumer group, internal topics and state folder. Instances that share work share it.
    pub application_id: String,
    /// Names this instance and its threads for whoever looks at them; made up if `None`. Nothing rests on its being
    /// unique: what tells instances apart is kept in `state_dir`, or made up at each start.
    pub client_id: Option<String>,
    /// Makes this instance's threads static members of the group (KIP-345, `group.instance.id`): started again within
    /// the session time-out under the same name, it keeps its tasks, and no other instance's move. Each needs a name of
    /// its own. Default none.
    pub group_instance_id: Option<String>,
    /// Stream threads of this instance. Default 1.
    pub num_stream_threads: usize,
    /// Default exactly once.
    pub processing_guarantee: ProcessingGuarantee,
    /// How often work is committed, and so becomes visible under exactly once. Default 100 ms.
    pub commit_interval: Duration,
    /// Uncommitted state beyond this many bytes a thread commits early. Default 64 MiB.
    pub max_uncommitted_bytes: usize,
    /// Where persistent stores live. `None` keeps them in memory, to be rebuilt from changelogs at every start.
    pub state_dir: Option<PathBuf>,
    /// How long committed state may wait until it becomes durable, without anybody waiting for it. A process that is
    /// killed replays what is younger from its changelogs, and some seconds more: what a flush takes. Default 20 s.
    pub state_flush_interval: Duration,
    /// Bounds RocksDB's block cache and memtables, of all stores of this instance together. Default 256 MiB.
    pub store_memory_bytes: usize,
    /// Records buffered for each input partition before fetching pauses. Default 1000.
    pub max_buffered_records: usize,
    /// How long a task with several inputs waits for one that is empty though it has read all there is.
    /// `Some(ZERO)`, the default, waits only while there is more to fetch; `None` never waits (KIP-695).
    pub max_task_idle: Option<Duration>,
    /// For records whose bytes do not decode. Default fail.
    pub deserialization_handler: RecordHandler,
    /// For records that an operator returns an error for. Panics always fail. Default fail.
    pub processing_handler: RecordHandler,
    /// Default stop the instance.
    pub on_task_failure: TaskFailureAction,
    /// A thread that has not polled for this long loses its partitions (`max.poll.interval.ms`). It polls in time,
    /// whatever its records cost together; the task of a record that alone takes longer, and did so before, fails.
    /// Default 45 s.
    pub session_timeout: Duration,
    /// Where other instances reach this one's queries, as `host:port` (`application.server` in Kafka Streams). Told to
    /// them, used by nobody else. Default none.
    pub application_server: Option<String>,
    /// How many other instances keep each task's stores warm, so that one of them goes on after the changelog's tail
    /// when the task's owner goes. Each costs memory, disk and reading of its own. Default 0.
    pub num_standby_replicas: usize,
    /// An instance that told nothing for this long is taken for gone by the others: it gets no standbys and no queries.
    /// Each tells five times as often. Default 15 s.
    pub member_timeout: Duration,
    /// How long a query waits for a thread's answer: a thread answers between two turns, which a single record may make
    /// long. Default 10 s.
    pub query_timeout: Duration,
    /// How long a poll waits for records. Bounds how late a wall-clock tick can be. Default 50 ms.
    pub poll_timeout: Duration,
    /// How often records that nobody needs any more are deleted: those of repartition topics that were processed, and
    /// those of changelogs whose windows have expired (`repartition.purge.interval.ms` in Kafka Streams). Default 30 s.
    pub repartition_purge_interval: Duration,
}

impl StreamsConfig {
    /// The defaults for an application.
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
            on_task_failure: TaskFailureAction::default(),
            session_timeout: Duration::from_secs(45),
            application_server: None,
            num_standby_replicas: 0,
            member_timeout: Duration::from_secs(15),
            query_timeout: Duration::from_secs(10),
            poll_timeout: Duration::from_millis(50),
            repartition_purge_interval: Duration::from_secs(30),
        }
    }

    /// All that is wrong, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(problem_with_name("application id", &self.application_id));
        problems.extend(self.client_id.as_ref().and_then(|id| problem_with_name("client id", id)));
        problems.extend(self.group_instance_id.as_ref().and_then(|id| problem_with_name("group instance id", id)));
        for topic in self.dead_letter_topics() {
            problems.extend(problem_with_name("dead-letter topic", topic));
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
        [&self.deserialization_handler, &self.processing_handler].into_iter().filter_map(|handler| match handler {
            RecordHandler::DeadLetter(topic) => Some(topic.as_str()),
            RecordHandler::Fail | RecordHandler::Skip => None,
        })
    }
}

fn is_address(text: &str) -> bool {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    text.rsplit_once(':').is_some_and(|(host, number)| {
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/') && port(number)
    })
}
