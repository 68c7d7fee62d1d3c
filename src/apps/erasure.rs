//! Erasure of an owner: one record through the topology empties every store of the key, in one transaction.

use serde::{Deserialize, Serialize};
use tidemill::{Produced, StreamsBuilder, state::json_coded};

/// The request to erase the stream or user that is the record's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// When the erasure was requested, in epoch milliseconds.
    pub requested_ms: i64,
}

/// The report of an erasure: what was deleted from the stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// When the erasure was requested, in epoch milliseconds.
    pub requested_ms: i64,
    /// Rows deleted from stores.
    pub rows: u64,
    /// Withdrawn requests to the analyst: their responses will have no effect.
    pub requests: u64,
}

json_coded!(Erasure, Erased);

/// Erases the keys that arrive on one topic from the state of these steps and stores, and reports each on another topic.
///
/// It is [`KStream::erase`](tidemill::KStream::erase) between the application's two topics.
pub fn erase(builder: &StreamsBuilder, name: &str, from: &[&str], [erasures, erased]: [&str; 2]) {
    let report = |tidemill::Erased { request: Erasure { requested_ms }, rows, calls }| Erased {
        requested_ms,
        rows,
        requests: calls,
    };
    let answers = builder.stream::<String, Erasure>(erasures).erase(name, from).map_values(report);
    answers.to(Produced::<String, Erased>::from(erased));
}
