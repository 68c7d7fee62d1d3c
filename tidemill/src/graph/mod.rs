//! The graph of a topology: nodes, edges and stores, without types.

mod changelogs;
mod erasures;
mod globals;
mod logical;
mod partitioners;
mod row_keys;
mod store_format;
mod user_topics;
mod validate;

pub(crate) use validate::problem_with_name;

pub(crate) use crate::names::{NodeId, NodeName, StoreName};
pub(crate) use changelogs::TopicConfig;
pub(crate) use globals::Global;
pub(crate) use logical::{
    DEAD_LETTER_PORT, ERASE, Erasure, Graph, LATE_PORT, Lifetime, Live, MAIN_PORT, PROCESS, Port, TABLE_CACHE, TopicRef,
};
pub use logical::{Edge, Node, NodeKind, StoreKind, StoreSpec};
pub(crate) use row_keys::{Content, RowKeys};
pub use store_format::StoreFormat;
pub(crate) use user_topics::whole_pattern;
