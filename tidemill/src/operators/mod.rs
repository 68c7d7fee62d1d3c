//! Operators, one in each file. A record moves to the next operator as a Rust value, with one virtual call for each
//! hop.

mod aggregate;
mod assembly;
mod bad_record;
mod branch;
mod cogroup;
mod collect;
mod context;
mod elements;
mod entries;
mod erase;
mod event_time;
mod foreign_key;
mod join_time;
mod key_times;
mod key_times_sweep;
mod link;
pub(crate) mod processor;
mod processor_node;
mod session_aggregate;
mod session_clock;
mod session_collect;
mod sessions;
mod shared_source;
mod sink;
mod source;
mod stateless;
mod stream_join;
mod stream_time;
mod suppress;
mod table;
mod table_join;
mod table_steps;
mod table_view;
mod topic_choice;
mod undo;
mod window_aggregate;
mod window_clock;
mod window_time;

pub(crate) use aggregate::{KeyedAggregate, KeyedInput};
pub(crate) use assembly::{Assembly, BuildNode, Builders, Parts, StoreHandle};
pub(crate) use bad_record::{BadRecord, RecordPart, Undecodable};
pub(crate) use branch::Branch;
pub(crate) use cogroup::{Cogroup, LeftInput, RightInput};
pub(crate) use collect::Collect;
pub(crate) use context::{DropReason, Failure, Outcome, Schedule, TaskContext};
pub(crate) use elements::Elements;
pub use erase::Erased;
pub(crate) use erase::{Erase, ErasedStore};
pub(crate) use event_time::{InvalidTime, check_event_time, event_time};
pub(crate) use foreign_key::{
    Answer, AnswerCodec, ForeignChange, ForeignKeyJoin, SUBSCRIPTION_PORT, SUBSCRIPTION_ROW, Subscribe,
    SubscriptionCodec, Subscriptions,
};
pub(crate) use join_time::JoinTime;
pub(crate) use link::{Lifecycle, Lifecycles, Next, Receive, Target};
pub(crate) use processor_node::ProcessorNode;
pub(crate) use session_aggregate::{SessionAggregate, SessionFold};
pub(crate) use session_clock::SessionClock;
pub(crate) use session_collect::{SessionCollect, SessionElements};
pub(crate) use sessions::Sessions;
pub(crate) use shared_source::SharedSource;
pub(crate) use sink::{Keyless, Partitioner, Partitioning, Sink, SinkTopic};
pub(crate) use source::{Head, Source, SourceQueue};
pub(crate) use stateless::{DropNullKeys, Filter, FlatMap, Map, Merge, Peek};
pub(crate) use stream_join::{JoinBase, JoinLeft, JoinRight, JoinSide, Joiner, StreamJoin};
pub(crate) use suppress::{Rule as SuppressRule, Suppress, SuppressedView, UPDATE};
pub(crate) use table::{StreamTableJoin, TableSource};
pub(crate) use table_join::TableJoin;
pub(crate) use table_steps::{DropNullValues, GroupTable, KeepTable, TableMap, ToStream};
pub(crate) use table_view::{JoinedView, MappedView, SessionView, StoreView, View, WindowView};
pub(crate) use topic_choice::{TopicChoice, TopicChooser};
pub(crate) use undo::Undo;
pub(crate) use window_aggregate::{WindowAggregate, WindowInput};
pub(crate) use window_clock::WindowClock;
pub(crate) use window_time::{KeyWindows, OpenWindows, WindowTime};
