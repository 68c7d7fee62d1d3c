//! Where a producer's records went.

use std::{sync::Arc, time::Duration};

use rdkafka::producer::Producer as _;

use super::sending::{Part, Sending};
use crate::transport::{Acknowledged, Offset, TopicPartition};

/// A producer of librdkafka's, and every partition that was written to, at its place in a `Part`. A commit or flush has
/// it as it was when that was begun.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) sending: Arc<Sending>,
    pub(super) partitions: Arc<Vec<TopicPartition>>,
}

impl Written {
    pub(super) fn by(sending: Sending) -> Self {
        Self { sending: Arc::new(sending), partitions: Arc::default() }
    }

    /// For each partition written and acknowledged since the last call: the offset after its last record.
    pub(super) fn take_ends(&self) -> Acknowledged {
        // Served without waiting: after a flush or commit there is nothing left to wait for.
        self.sending.serve();
        let parts = self.sending.client().context().with(|delivered| delivered.parts.each_mut().map(Part::take_ends));
        let mut ends = vec![None; self.partitions.len()];
        for part in parts {
            ends.iter_mut().zip(part).for_each(|(end, found)| *end = found.max(*end));
        }
        self.named(ends)
    }

    /// Waits up to `timeout` until so many records of a part have been delivered or have failed; then it tells where
    /// partitions end.
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
