//! One operator a file. A record moves from one to the next as the Rust value it is: one virtual call a hop.

mod aggregate;
mod assembly;
mod branch;
mod cogroup;
mod collect;
mod context;
mod link;
mod processor_node;
mod sink;
mod source;
mod stateless;
mod stream_join;
mod stream_time;
mod table;
mod window_aggregate;
mod window_clock;

pub(crate) use aggregate::KeyedAggregate;
pub(crate) use assembly::{Assembly, StoreHandle};
pub(crate) use branch::Branch;
pub(crate) use cogroup::{Cogroup, LeftInput, RightInput};
pub(crate) use collect::{Collect, Elements};
pub(crate) use context::{DropReason, Failure, Outcome, Schedule, TaskContext};
pub(crate) use link::{Lifecycle, Next, Receive, Target};
pub(crate) use processor_node::ProcessorNode;
pub(crate) use sink::Sink;
pub(crate) use source::{BadRecord, Head, Source, SourceQueue, TimestampExtractor};
pub(crate) use stateless::{Filter, FlatMap, Map, Merge, Peek};
pub(crate) use stream_join::{JoinBase, JoinLeft, JoinRight, JoinSide, Joiner, StreamJoin};
pub(crate) use table::{StreamTableJoin, TableSource};
pub(crate) use window_aggregate::{WindowAggregate, WindowInput};
pub(crate) use window_clock::WindowClock;
