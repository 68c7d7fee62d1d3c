//! Names and ids inside a topology.

use std::sync::Arc;

/// A node's index in its topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node's name, unique in its topology.
pub type NodeName = Arc<str>;

/// A store's name, unique in its topology.
pub type StoreName = Arc<str>;
