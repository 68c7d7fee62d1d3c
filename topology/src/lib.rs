//! Tidemill's engine: a typed DSL, the plan that it becomes, tasks, their runtime, and the embedded log.
//!
//! ```text
//! dsl → graph → plan → task → runtime
//!                       ↓        ↓
//!                     state  transport (embedded | …)
//! ```

mod async_op;
mod clock;
mod config;
mod dsl;
mod error;
mod graph;
mod idle_note;
mod members;
mod operators;
mod partitioner;
mod plan;
pub mod processor;
mod record;
mod runtime;
mod task;
mod task_id;
pub mod testing;
pub mod transport;

pub use async_op::{
    Answered, AsyncCall, CallError, CallExecutor, CallExecutorHandle, CallFailure, CallPolicy, CallRequest, CallStats,
    Caller, FailureKind, Reply, Retry,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{ProcessingGuarantee, RecordHandler, StreamsConfig, TaskFailureAction};
pub use dsl::*;
pub use error::{Position, TaskError, TopologyError};
pub use graph::{Edge, Node, NodeId, NodeKind, NodeName, StoreFormat, StoreKind, StoreName, StoreSpec, Topology};
pub use partitioner::{murmur2, partition_for};
pub use plan::{InternalTopic, ParseTaskIdError, Plan, Subtopology, TaskId};
pub use record::{Data, Record};
pub use runtime::*;
pub use tidemill_state as state;
