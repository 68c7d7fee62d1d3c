//! Stream threads: poll, process, punctuate, commit.

mod app;
mod metadata;
mod preparation;
mod query;
mod status;
mod store_notes;
mod threads;

mod stream_thread;

mod member_thread;
mod standbys;

mod committing;
mod ownership;
mod pace;
mod processing;
mod recovery;
mod restore_progress;
mod restoring;

mod clients;
mod tasks;
mod transaction;

pub use app::{Streams, StreamsState};
pub(crate) use member_thread::MemberThread;
pub use metadata::{HostInfo, KeyQueryMetadata, StreamsMetadata};
pub(crate) use preparation::{Prepared, TICK};
pub use query::{KeyValueQuery, QueryError, WindowQuery};
pub use restore_progress::RestoreProgress;
pub(crate) use standbys::Standbys;
pub use status::{PartitionStatus, StoreStatus, TaskState, TaskStatus, ThreadStatus};
pub(crate) use stream_thread::StreamThread;
