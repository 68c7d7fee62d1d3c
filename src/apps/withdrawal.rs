//! The withdrawal of a part of an owner's data, such as a deleted message: one record through the topology.

use serde::{Deserialize, Serialize};

/// The request to withdraw a part of the data of the owner that is the record's key. The topology of the application
/// decides what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal<P = String> {
    /// What is withdrawn: the [`path`](super::Part::path) of a part.
    pub part: P,
    /// The id of what is withdrawn, such as a message's id.
    pub id: String,
    /// When the withdrawal was requested, in epoch milliseconds.
    pub requested_ms: i64,
}
