//! What users meant: nodes, edges and stores, without types.

mod logical;
mod store_format;
mod validate;

pub(crate) use validate::problem_with_name;

pub(crate) use logical::{BuildNode, Graph, LATE_PORT, MAIN_PORT, Port, TopicRef};
pub use logical::{Edge, Node, NodeId, NodeKind, NodeName, StoreKind, StoreName, StoreSpec, Topology};
pub use store_format::StoreFormat;
