//! What a running application tells about itself.

use tidemill_state::StoreStats;

use crate::{
    graph::StoreName,
    operators::StoreHandle,
    plan::TaskId,
    task::TaskStores,
    transport::{Offset, TopicPartition},
};

/// What a restore has done, for log lines and progress bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreProgress {
    /// Changelog records replayed.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Bytes a second, since it began.
    pub bytes_per_second: u64,
    /// How long the rest will take at the pace until now; `None` before there is a pace.
    pub remaining_ms: Option<i64>,
}

/// Where a task is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TaskState {
    /// Replaying changelogs.
    Restoring {
        /// Changelog offsets still to replay.
        remaining: i64,
        /// Changelog offsets to replay in all.
        total: i64,
    },
    /// Processing.
    #[default]
    Running,
    /// Kept warm here while another instance runs it.
    Standby {
        /// Changelog offsets that its stores are behind.
        lag: i64,
    },
    /// It could not get past a record.
    Failed {
        /// Why, with operator, topic, partition and offset.
        error: String,
    },
}

/// One input partition of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The partition.
    pub partition: TopicPartition,
    /// The next offset to process; `None` before the first record since the task began.
    pub position: Option<Offset>,
    /// Records fetched but not processed.
    pub buffered: usize,
    /// What its next record waits for, if that cannot be decoded yet: the task waits with it.
    pub waits_for: Option<String>,
}

/// One store of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Its name.
    pub name: String,
    /// Its counters.
    pub stats: StoreStats,
}

/// One task, as of its thread's last report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// Which task.
    pub id: TaskId,
    /// Where it is in its life.
    pub state: TaskState,
    /// While it restores: what it has replayed, and how fast.
    pub restore: Option<RestoreProgress>,
    /// Highest timestamp taken from its inputs; -1 before the first.
    pub stream_time_ms: i64,
    /// Records taken from its inputs since it began.
    pub records_processed: u64,
    /// Records without effect since it began: operator, reason, how many.
    pub records_dropped: Vec<(String, &'static str, u64)>,
    /// Its inputs.
    pub partitions: Vec<PartitionStatus>,
    /// Its stores.
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
            partitions: Vec::new(),
            stores: Vec::new(),
        }
    }
}

/// A stream thread, as of its last report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThreadStatus {
    /// Its name.
    pub name: String,
    /// Its tasks.
    pub tasks: Vec<TaskStatus>,
    /// Commits since it started.
    pub commits: u64,
    /// Transactions aborted since it started.
    pub aborts: u64,
    /// Times that a newer instance took over since it started.
    pub fenced: u64,
    /// Changelog records replayed since it started.
    pub records_restored: u64,
    /// Tasks taken over from a standby of the same instance since it started.
    pub standbys_taken: u64,
}

/// What the stores of a task tell about themselves.
pub(crate) fn store_statuses(stores: &TaskStores) -> Vec<StoreStatus> {
    let store = |(name, handle): (&StoreName, &StoreHandle)| StoreStatus {
        name: name.to_string(),
        stats: handle.with_store(tidemill_state::Store::stats),
    };
    stores.handles.iter().map(store).collect()
}
