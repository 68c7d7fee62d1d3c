//! The parts that run: stream threads poll, process, punctuate and commit; the member thread keeps standbys for other
//! instances; an instance owns all these threads.

// Each module uses only those above it in this list.
mod status;

mod query;
mod restore_meter;
mod standbys;

mod preparation;

mod global_thread;
mod member_thread;
mod stream_thread;

mod instance;

pub(crate) use global_thread::GlobalThread;
pub use instance::{HostInfo, KeyQueryMetadata, Streams, StreamsMetadata, StreamsState};
pub(crate) use member_thread::MemberThread;
pub(crate) use preparation::{Prepared, TICK};
pub use query::{KeyValueQuery, QueryError, SessionQuery, VersionedQuery, WindowQuery};
pub(crate) use standbys::Standbys;
pub use status::{PartitionStatus, ProcessorMetric, RestoreProgress, StoreStatus, TaskState, TaskStatus, ThreadStatus};
pub(crate) use stream_thread::StreamThread;
