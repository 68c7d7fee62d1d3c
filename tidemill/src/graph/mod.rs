//! What users meant: nodes, edges and stores, without types.

mod logical;
mod store_format;
mod validate;

pub(crate) use validate::problem_with_name;

pub(crate) use crate::names::{NodeId, NodeName, StoreName};
pub use logical::{Edge, Node, NodeKind, StoreKind, StoreSpec};
pub(crate) use logical::{Graph, LATE_PORT, MAIN_PORT, Port, TopicRef};
pub use store_format::StoreFormat;
