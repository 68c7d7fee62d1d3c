#![doc = include_str!("../README.md")]

// Each module uses only the modules above it in this list.
mod clock;
pub mod transport;

mod names;
mod partitioner;
mod record;
mod table;
mod times;
mod value_headers;

mod error;
mod handlers;
mod idle_note;
mod windows;

mod graph;
mod operators;
mod topology;

mod config;
pub mod dead_letters;
mod plan;

mod async_op;
mod dsl;

#[cfg(feature = "llm")]
pub mod llm;

mod members;
mod task;

mod runtime;

pub mod testing;

pub mod guide;

pub use async_op::{
    AnswerCache, AnswerSource, Answered, AsyncCall, Batch, BreakerPolicy, BreakerState, CallError, CallExecutor,
    CallExecutorHandle, CallFailure, CallOrder, CallPolicy, CallRecord, CallReport, CallRequest, CallResponse,
    CallSnapshot, CallStats, Caller, FailedCall, FailureKind, InputOffset, Limit, LimitUse, Reply, Retry, Route,
    RouteSnapshot, Spending, Spent, Usage, WhenExhausted,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{ProcessingGuarantee, StreamsConfig, TaskFailureAction};
pub use dsl::{
    CogroupedKStream, CogroupedWindows, Consumed, GlobalKTable, Joined, KGroupedStream, KGroupedTable, KStream, KTable,
    Materialized, NodeHandle, NodeProcessing, Processing, ProcessingValues, Produced, Repartitioned,
    SessionWindowedCogroupedKStream, SessionWindowedKStream, SplitStream, StoreBuilder, StreamJoined, StreamsBuilder,
    TableJoined, TimeWindowedCogroupedKStream, TimeWindowedKStream, TopologyBuilder, Windows, WindowsOfCogroup,
};
pub use error::{Position, TaskError, TopologyError, WrongStoreTypes};
pub use graph::{Edge, Node, NodeKind, StoreFormat, StoreKind, StoreSpec};
pub use handlers::{ErrorHandler, ErrorHandlerContext, ErrorHandlerResponse, ErrorOrigin, ErrorRecord, RecordHandler};
pub use names::{NodeId, NodeName, ParseTaskIdError, StoreName, TaskId};
pub use operators::Erased;
pub use partitioner::{murmur2, partition_for};
pub use plan::{InternalTopic, Plan, Subtopology};
pub use record::{Data, Record};
pub use runtime::{
    HostInfo, KeyQueryMetadata, KeyValueQuery, PartitionStatus, ProcessorMetric, QueryError, RestoreProgress,
    SessionQuery, StoreStatus, Streams, StreamsMetadata, StreamsState, TaskState, TaskStatus, ThreadStatus,
    VersionedQuery, WindowQuery,
};
pub use tidemill_state as state;
pub use times::{TimeBand, TimeSource, TimeUnit};
pub use topology::Topology;
pub use transport::AutoOffsetReset;
pub use value_headers::{HeadersCodec, ValueHeaders};
pub use windows::{
    BufferConfig, Cogrouped, EmitStrategy, JoinKind, JoinWindows, SessionWindowedCodec, SessionWindows, SlidingWindows,
    Suppressed, TimeWindowedCodec, TimeWindows, Window, Windowed, WindowedCodec,
};

/// The Processor API: custom operators.
pub mod processor {
    pub use crate::{
        dsl::{FixedKeyProcessorSupplier, ProcessorSupplier},
        operators::processor::{
            Counter, FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord, Gauge, MetricValue, Output,
            ProcessingContext, Processor, ProcessorContext, Punctuation, PunctuationType, Recorded, Summary,
        },
        operators::transform_values::{ValueTransformerContext, ValueTransformerWithKey},
        record::{Data, Record},
    };
}
