//! What a stand-in did.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Fault, Line};

/// A line that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The id of the line.
    pub id: String,
    /// The number of the connection or of the request.
    pub connection: u64,
    /// Whether it was sent whole. What breaks off is sent again, later.
    pub whole: bool,
}

/// What a stand-in did, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// Each line as often as it was sent.
    pub sent: Vec<Sent>,
    /// How often each fault struck.
    pub faults: BTreeMap<Fault, u64>,
    /// How many requests and connections came.
    pub requests: u64,
    /// The lines that were posted, in order.
    pub posted: Vec<Line>,
}

impl Log {
    /// The ids of the lines that were sent whole at least once.
    pub fn whole(&self) -> BTreeSet<&str> {
        self.sent.iter().filter(|sent| sent.whole).map(|sent| sent.id.as_str()).collect()
    }

    /// How often a fault struck.
    pub fn struck(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }

    /// How many sendings repeated a line that had been sent whole before.
    pub fn repeated(&self) -> usize {
        self.sent.iter().filter(|sent| sent.whole).count() - self.whole().len()
    }
}
