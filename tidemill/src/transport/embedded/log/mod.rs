//! The contents of the log: topics and partitions, with the newest records in memory.

pub(super) mod arrivals;
pub(super) mod broker;
pub(super) mod compaction;
pub(super) mod partition;
pub(super) mod tail;
pub(super) mod topics;
