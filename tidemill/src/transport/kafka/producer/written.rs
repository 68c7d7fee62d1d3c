//! The partitions that a producer wrote to.

use std::{sync::Arc, time::Duration};

use rdkafka::producer::Producer as _;

use super::sending::{PartResults, Sending};
use crate::transport::{Acknowledged, Offset, TopicPartition};

/// A librdkafka producer and all partitions written to, in the order of the indexes in a `PartResults`. A commit or flush has
/// a copy from the moment when it began.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) sending: Arc<Sending>,
    pub(super) partitions: Arc<Vec<TopicPartition>>,
}

impl Written {
    pub(super) fn by(sending: Sending) -> Self {
        Self { sending: Arc::new(sending), partitions: Arc::default() }
    }

    /// The offset after the last acknowledged record of each partition, for records acknowledged since the last call.
    pub(super) fn take_ends(&self) -> Acknowledged {
        // Serves without waiting: after a flush or commit, all results are already there.
        self.sending.serve();
        let parts =
            self.sending.client().context().with(|delivered| delivered.parts.each_mut().map(PartResults::take_ends));
        let mut ends = vec![None; self.partitions.len()];
        for part in parts {
            ends.iter_mut().zip(part).for_each(|(end, found)| *end = found.max(*end));
        }
        self.named(ends)
    }

    /// Waits up to `timeout` until `sent` records of a part were delivered or have failed. Returns `None` if the time
    /// is over, and otherwise the end offset of each partition.
    pub(super) fn ends_of(&self, part: usize, sent: usize, timeout: Duration) -> Option<Acknowledged> {
        let deliveries = self.sending.client().context();
        let waited_for = || sent.saturating_sub(deliveries.with(|delivered| delivered.parts[part].landed));
        let settled = self.sending.settle(timeout, waited_for);
        settled.then(|| self.named(deliveries.with(|delivered| delivered.parts[part].take_ends())))
    }

    fn named(&self, ends: Vec<Option<Offset>>) -> Acknowledged {
        let known = self.partitions.iter().cloned().zip(ends);
        known.filter_map(|(partition, end)| Some((partition, end?))).collect()
    }
}
