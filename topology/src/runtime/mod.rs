//! Stream threads: poll, process, punctuate, commit.

mod app;
mod preparation;
mod query;
mod status;

mod stream_thread;

mod committing;
mod ownership;
mod processing;
mod recovery;
mod restoring;

mod clients;
mod tasks;
mod transaction;

pub(crate) use app::made_up_id;
pub use app::{Streams, StreamsState};
pub(crate) use preparation::{Prepared, TICK};
pub use query::{KeyValueQuery, QueryError, WindowQuery};
pub use status::{PartitionStatus, StoreStatus, TaskState, TaskStatus, ThreadStatus};
pub(crate) use stream_thread::StreamThread;
