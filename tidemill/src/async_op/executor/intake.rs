//! Takes requests in, and drops them when their partitions are taken away.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    CallExecutor, Caller,
    request::guarded,
    takeover::{Takeover, step_key},
};
use crate::{
    async_op::{
        CallOrder,
        calls::Arrival,
        request::{self, RequestId},
    },
    clock::Moment,
    record::Data,
    transport::{ConsumedRecord, Offset, Rebalance, TopicPartition, TransportError},
};

/// The bytes of requests that an executor holds in memory, at most and approximately.
const MAX_BYTES: usize = 64 << 20;
/// How far an executor reads beyond a request without an answer. More would not fit into a commit's metadata.
const MAX_SPAN: Offset = 16_384;
/// How long a revoked partition waits for its running calls. Its next owner waits, too.
const HAND_OVER_MS: i64 = 10_000;

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// Reads requests. If only the newest of a lane counts, reads all that are there, so that no call is made for one
    /// that has been replaced already.
    pub(super) fn poll(
        &mut self,
        caller: &mut dyn Caller<K, V, R>,
        timeout: Duration,
    ) -> Result<usize, TransportError> {
        let mut done = self.poll_once(caller, timeout)?;
        let mut more = done;
        while more > 0 && self.call.order == CallOrder::LatestWins && done < self.policy.max_read_ahead {
            more = self.poll_once(caller, Duration::ZERO)?;
            done += more;
        }
        Ok(done)
    }

    fn poll_once(&mut self, caller: &mut dyn Caller<K, V, R>, timeout: Duration) -> Result<usize, TransportError> {
        self.pause_if_full()?;
        let polled = self.consumer.poll(timeout)?;
        let mut done = polled.rebalances.len();
        for rebalance in polled.rebalances {
            self.rebalance(rebalance)?;
        }
        let now = Moment::of(&*self.clock);
        for batch in polled.batches {
            if self.is_leaving(&batch.partition) {
                // The next owner reads these.
                continue;
            }
            done += batch.records.len();
            for record in batch.records {
                self.take(caller, &batch.partition, record, now)?;
            }
        }
        Ok(done)
    }

    /// The other requests wait on the topic.
    fn pause_if_full(&mut self) -> Result<(), TransportError> {
        let span = self.progress.values().map(super::Progress::span).max().unwrap_or_default();
        let full = self.calls.len() >= self.policy.max_read_ahead.max(1)
            || self.calls.bytes() >= MAX_BYTES
            || span >= MAX_SPAN;
        if full != self.paused && !self.owned.is_empty() {
            if full {
                self.consumer.pause(&self.owned)?;
            } else {
                self.consumer.resume(&self.owned)?;
            }
            self.paused = full;
        }
        Ok(())
    }

    fn take(
        &mut self,
        caller: &mut dyn Caller<K, V, R>,
        partition: &TopicPartition,
        record: ConsumedRecord,
        now: Moment,
    ) -> Result<(), TransportError> {
        let noted = self.progress.entry(partition.clone()).or_default().taken(record.offset);
        let id = record.key.clone().unwrap_or_default();
        if request::is_withdrawal(&record.headers) {
            if let Some(progress) = self.progress.get_mut(partition) {
                progress.answered(record.offset);
            }
            let effects = self.calls.withdraw_lane(partition, &id, now);
            return self.carry_out(caller, effects, now);
        }
        let takeover = self.takeovers.entry(partition.clone()).or_default();
        let answered = noted || takeover.answered.remove(&id);
        let steps = takeover.steps.remove(&id).unwrap_or_default();
        if answered {
            // Their owner died before it deleted them.
            self.done_steps.extend((0..steps.len() as u32).map(|number| (partition.partition, step_key(&id, number))));
            if let Some(progress) = self.progress.get_mut(partition) {
                progress.answered(record.offset);
            }
            if let Some(ledger) = self.calls.ledger() {
                ledger.taken_over(fingerprint(partition.partition, &id));
            }
            return Ok(());
        }
        let arrival = self.arrival(caller, partition, record, steps, now);
        let effects = self.calls.take(arrival, now);
        self.carry_out(caller, effects, now)
    }

    fn arrival(
        &self,
        caller: &dyn Caller<K, V, R>,
        partition: &TopicPartition,
        record: ConsumedRecord,
        steps: Vec<Bytes>,
        now: Moment,
    ) -> Arrival {
        let id = record.key.clone().unwrap_or_default();
        let key = RequestId::from_bytes(id.clone()).map(|id| id.key()).unwrap_or_default();
        let lane = guarded("the codec", || Bytes::copy_from_slice(self.call.key.partition_bytes(&key)));
        let lane = lane.unwrap_or_default();
        let tenant = guarded("the caller", || self.call.key.decode(key).ok().map(|key| caller.tenant(&key)));
        let tenant = tenant.ok().flatten().unwrap_or_else(|| Arc::from(""));
        let asked_ms = request::asked_ms(&record.headers);
        let due_ms = request::deadline_ms(&record.headers).map(|deadline_ms| {
            let passed_ms = asked_ms.map_or(0, |asked_ms| (now.wall_ms - asked_ms).max(0));
            now.monotonic_ms.saturating_add(deadline_ms.saturating_sub(passed_ms))
        });
        let again = request::is_repeat(&record.headers);
        let fingerprint = fingerprint(partition.partition, &id);
        Arrival { partition: partition.clone(), record, fingerprint, lane, tenant, asked_ms, due_ms, steps, again }
    }

    /// Deletes the steps of requests that are answered and that no executor reads again: an owner died between the
    /// answer and the deletion. Everything that was there when the partition was taken over has been read then.
    pub(super) fn delete_steps_of_nothing(&mut self) {
        for (partition, takeover) in &mut self.takeovers {
            if takeover.is_empty() || !self.consumer.is_caught_up(partition) {
                continue;
            }
            let Takeover { steps, .. } = std::mem::take(takeover);
            for (id, steps) in steps {
                let keys = (0..steps.len() as u32).map(|number| (partition.partition, step_key(&id, number)));
                self.done_steps.extend(keys);
            }
        }
    }

    fn rebalance(&mut self, rebalance: Rebalance) -> Result<(), TransportError> {
        match rebalance {
            Rebalance::Assigned(partitions) => {
                if self.paused {
                    self.consumer.pause(&partitions)?;
                }
                self.take_over(&partitions)?;
                self.owned.extend(partitions);
            }
            Rebalance::Revoked(partitions) => {
                let now = Moment::of(&*self.clock);
                self.calls.forget_idle(&partitions);
                self.leaving.push((partitions, now.monotonic_ms.saturating_add(HAND_OVER_MS)));
                self.hand_back(now)?;
            }
            Rebalance::Lost(partitions) => {
                self.forget(&partitions);
                self.leaving.retain(|(leaving, _)| !leaving.iter().any(|partition| partitions.contains(partition)));
            }
        }
        Ok(())
    }

    /// Gives revoked partitions back when their running calls have ended: the next owner would pay them again.
    pub(super) fn hand_back(&mut self, now: Moment) -> Result<(), TransportError> {
        let Self { leaving, calls, .. } = self;
        let ready = |(partitions, until_ms): &mut (Vec<TopicPartition>, i64)| {
            now.monotonic_ms >= *until_ms || !calls.run_in(partitions)
        };
        let ready: Vec<_> = leaving.extract_if(.., ready).collect();
        for (partitions, _) in ready {
            self.commit(now)?;
            self.forget(&partitions);
            self.consumer.release(&partitions)?;
        }
        Ok(())
    }

    fn is_leaving(&self, partition: &TopicPartition) -> bool {
        self.leaving.iter().any(|(partitions, _)| partitions.contains(partition))
    }

    /// Reads what earlier owners have answered and kept.
    fn take_over(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        let committed = self.consumer.committed(partitions)?;
        let steps_exist = self.steps_exist()?;
        for (partition, committed) in partitions.iter().zip(committed) {
            let (mut progress, responses_from) = super::Progress::after(committed.as_ref());
            let responses = TopicPartition { topic: self.topics.responses.clone(), partition: partition.partition };
            progress.responses_end_at(self.end_of(&responses)?);
            let steps = TopicPartition { topic: self.topics.steps.clone(), partition: partition.partition };
            let takeover = Takeover::read(
                &*self.transport,
                responses_from.map(|from| (responses, from)),
                steps_exist.then_some(steps),
            )?;
            self.progress.insert(partition.clone(), progress);
            self.takeovers.insert(partition.clone(), takeover);
        }
        Ok(())
    }

    /// The next owner of the partitions repeats the requests without an answer. This executor ignores answers that still
    /// arrive.
    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.owned.retain(|partition| !partitions.contains(partition));
        self.progress.retain(|partition, _| !partitions.contains(partition));
        self.takeovers.retain(|partition, _| !partitions.contains(partition));
        self.calls.forget(partitions);
        self.forget_decoded();
    }

    /// Forgets the decoded requests of calls that are gone.
    pub(super) fn forget_decoded(&mut self) {
        let Self { decoded, calls, .. } = self;
        decoded.retain(|id, _| calls.get(*id).is_some());
    }
}

/// Tells requests apart in the ledger (FNV-1a).
fn fingerprint(partition: i32, id: &[u8]) -> u64 {
    let bytes = partition.to_be_bytes();
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().chain(id).fold(0xcbf2_9ce4_8422_2325, mix)
}
