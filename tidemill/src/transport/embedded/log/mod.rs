//! What the log keeps, and who is told of it: topics of partitions, each with its newest records in memory.

pub(super) mod arrivals;
pub(super) mod broker;
pub(super) mod compaction;
pub(super) mod partition;
pub(super) mod tail;
pub(super) mod topics;
