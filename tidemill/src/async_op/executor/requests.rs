//! Takes requests in, and drops them when their partitions are taken away.

use std::time::Duration;

use super::{
    CallExecutor,
    pending_call::{CallStage, PendingCall},
};
use crate::{
    record::Data,
    transport::{Rebalance, TopicPartition, TransportError},
};

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    pub(super) fn poll(&mut self, timeout: Duration) -> Result<usize, TransportError> {
        // The number of requests in memory is limited. The other requests wait on the topic.
        let full = self.jobs.len() >= self.policy.max_in_flight.saturating_mul(2);
        if full != self.paused && !self.owned.is_empty() {
            if full {
                self.consumer.pause(&self.owned)?;
            } else {
                self.consumer.resume(&self.owned)?;
            }
            self.paused = full;
        }
        let polled = self.consumer.poll(timeout)?;
        let mut done = polled.rebalances.len();
        for rebalance in polled.rebalances {
            self.rebalance(rebalance)?;
        }
        for batch in polled.batches {
            done += batch.records.len();
            for record in batch.records {
                self.progress.entry(batch.partition.clone()).or_default().taken(record.offset);
                let job =
                    PendingCall { partition: batch.partition.clone(), record, attempt: 0, stage: CallStage::Waiting };
                self.jobs.insert(self.next_job, job);
                self.queue.push_back(self.next_job);
                self.next_job += 1;
            }
        }
        Ok(done)
    }

    fn rebalance(&mut self, rebalance: Rebalance) -> Result<(), TransportError> {
        match rebalance {
            Rebalance::Assigned(partitions) => {
                if self.paused {
                    self.consumer.pause(&partitions)?;
                }
                self.owned.extend(partitions);
            }
            Rebalance::Revoked(partitions) => {
                self.commit(self.clock.monotonic_ms())?;
                self.forget(&partitions);
                self.consumer.release(&partitions)?;
            }
            Rebalance::Lost(partitions) => self.forget(&partitions),
        }
        Ok(())
    }

    /// The next owner of the partitions repeats the unanswered requests. This executor ignores answers that still
    /// arrive.
    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.owned.retain(|partition| !partitions.contains(partition));
        self.progress.retain(|partition, _| !partitions.contains(partition));
        self.jobs.retain(|_, job| !partitions.contains(&job.partition));
        self.queue.retain(|job| self.jobs.contains_key(job));
        self.calling = self.jobs.values().filter(|job| matches!(job.stage, CallStage::Calling { .. })).count();
    }
}
