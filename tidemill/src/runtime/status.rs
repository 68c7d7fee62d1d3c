//! The status of a running application.

use tidemill_state::StoreStats;

use crate::{
    graph::StoreName,
    operators::{StoreHandle, processor::MetricValue},
    plan::TaskId,
    task::TaskStores,
    transport::{Offset, TopicPartition},
};

/// The progress of a restore, for log lines and progress bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreProgress {
    /// Changelog records replayed.
    pub records: u64,
    /// Bytes of the replayed keys and values.
    pub bytes: u64,
    /// Bytes per second since the restore began.
    pub bytes_per_second: u64,
    /// The expected remaining time in milliseconds; `None` until the first record is replayed.
    pub remaining_ms: Option<i64>,
}

/// The state of a task.
///
/// See the example of [`TaskFailureAction`](crate::TaskFailureAction).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TaskState {
    /// The task replays its changelogs.
    Restoring {
        /// Changelog offsets still to replay.
        remaining: i64,
        /// Changelog offsets to replay in all.
        total: i64,
    },
    /// The task processes records.
    #[default]
    Running,
    /// This instance keeps a standby of the task; another instance runs the task.
    Standby {
        /// How many changelog offsets the stores are behind.
        lag: i64,
    },
    /// The task could not process a record and has stopped.
    Failed {
        /// The error, with operator, topic, partition and offset.
        error: String,
    },
}

/// One input partition of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The partition.
    pub partition: TopicPartition,
    /// The next offset to process; `None` until the task takes its first record.
    pub position: Option<Offset>,
    /// The number of records that are fetched but not processed.
    pub buffered: usize,
    /// What is missing to decode the next record; the task waits with it. `None` if nothing is missing.
    pub waits_for: Option<String>,
}

/// A metric that a processor registered.
///
/// See the example of [`ProcessingContext::counter`](crate::processor::ProcessingContext::counter).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorMetric {
    /// The step of the processor.
    pub processor: String,
    /// The metric's name.
    pub name: String,
    /// Its value in the task.
    pub value: MetricValue,
}

/// One store of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Its name.
    pub name: String,
    /// The store's counters.
    pub stats: StoreStats,
}

/// The status of a task in its thread's last report.
///
/// See the example of [`Streams::status`](crate::Streams::status).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// The task's id.
    pub id: TaskId,
    /// The task's state.
    pub state: TaskState,
    /// The progress of the restore while the task restores; otherwise `None`.
    pub restore: Option<RestoreProgress>,
    /// Stream time in milliseconds: the highest timestamp of the records taken. -1 before the first record.
    pub stream_time_ms: i64,
    /// The number of records taken from the inputs since the task began.
    pub records_processed: u64,
    /// Records that had no effect since the task began: operator, reason, number of records.
    pub records_dropped: Vec<(String, &'static str, u64)>,
    /// The metrics of the task's processors, by processor and name. They begin at 0 with the task.
    pub processor_metrics: Vec<ProcessorMetric>,
    /// The input partitions.
    pub partitions: Vec<PartitionStatus>,
    /// The task's stores.
    pub stores: Vec<StoreStatus>,
}

impl Default for TaskStatus {
    fn default() -> Self {
        Self {
            id: TaskId { subtopology: 0, partition: 0 },
            state: TaskState::default(),
            restore: None,
            stream_time_ms: -1,
            records_processed: 0,
            records_dropped: Vec::new(),
            processor_metrics: Vec::new(),
            partitions: Vec::new(),
            stores: Vec::new(),
        }
    }
}

/// The status of a stream thread in its last report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThreadStatus {
    /// Its name.
    pub name: String,
    /// The thread's tasks.
    pub tasks: Vec<TaskStatus>,
    /// The number of commits since the thread started.
    pub commits: u64,
    /// The number of aborted transactions since the thread started.
    pub aborts: u64,
    /// How often a newer instance has fenced this thread since the thread started.
    pub fenced: u64,
    /// How often the thread was replaced for a record or a punctuation that failed.
    pub replaced: u64,
    /// The number of changelog records replayed since the thread started.
    pub records_restored: u64,
    /// The number of tasks that continued from a standby of the same instance since the thread started.
    pub standbys_taken: u64,
}

/// The metrics of a task's processors.
pub(crate) fn processor_metrics(told: Vec<(String, String, MetricValue)>) -> Vec<ProcessorMetric> {
    told.into_iter().map(|(processor, name, value)| ProcessorMetric { processor, name, value }).collect()
}

/// The status of each store of a task.
pub(crate) fn store_statuses(stores: &TaskStores) -> Vec<StoreStatus> {
    let store = |(name, handle): (&StoreName, &StoreHandle)| StoreStatus {
        name: name.to_string(),
        stats: handle.with_store(tidemill_state::ByteStore::stats),
    };
    stores.handles.iter().map(store).collect()
}
