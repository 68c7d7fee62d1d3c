//! The graph of a topology: nodes, edges and stores, without types.

mod changelogs;
mod erasures;
mod globals;
mod logical;
mod node;
mod partitioners;
mod row_keys;
mod store_format;
mod store_spec;
mod store_types;
mod user_topics;
mod validate;

pub(crate) use validate::problem_with_name;

pub(crate) use crate::names::{NodeId, NodeName, StoreName};
pub(crate) use changelogs::TopicConfig;
pub(crate) use globals::Global;
pub(crate) use logical::{Erasure, Graph, Lifetime, Live};
pub(crate) use node::{DEAD_LETTER_PORT, ERASE, LATE_PORT, MAIN_PORT, PROCESS, Port, TABLE_CACHE, TopicRef};
pub use node::{Edge, Node, NodeKind};
pub(crate) use row_keys::{Content, RowKeys};
pub use store_format::StoreFormat;
pub(crate) use store_spec::StoreShape;
pub use store_spec::{StoreKind, StoreSpec};
pub(crate) use store_types::{SharedCodecs, StoreTypes, TypesByStore};
pub(crate) use user_topics::whole_pattern;
