//! A log behind a bad connection: calls fail, take long, or take effect although their reply is lost.

mod transactions;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use transactions::FaultyProducer;

use super::{
    faults::{FaultRates, Process},
    outlet::PlainFaultyProducer,
};
use crate::{
    clock::Clock as _,
    transport::{
        Admin, CommittedOffset, Consumer, ConsumerConfig, Fetched, GroupMetadata, Offset, Polled, Producer,
        ProducerConfig, Reader, Rebalance, Topic, TopicPartition, Transport, TransportError, Watermarks,
        embedded::EmbeddedLog,
    },
};

/// The longest wait of a poll, whatever its timeout is.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// The connections of one process.
pub(crate) struct FaultyTransport {
    pub(crate) log: EmbeddedLog,
    pub(crate) process: Process,
}

impl Process {
    /// Begins a call to the log. The call may fail without effect, or take long.
    pub(super) fn call(&self, name: &str) -> Result<(), TransportError> {
        if self.is_dead() {
            return Err(TransportError::Storage("the process died".into()));
        }
        if self.is_cut_off() {
            return Err(TransportError::Retriable(name.into()));
        }
        self.fate.delay();
        self.fails(name, |rates| rates.unavailable)
    }

    pub(super) fn fails(&self, name: &str, rate: impl FnOnce(&FaultRates) -> f64) -> Result<(), TransportError> {
        if self.fate.strikes(rate) {
            self.note(&format!("{name} unavailable"));
            return Err(TransportError::Retriable(name.into()));
        }
        Ok(())
    }

    /// Where a committed read ends: at the end of the partition, or before the first record without a marker.
    fn end_of(&self, partition: &TopicPartition, end: Offset) -> Offset {
        self.missing_from(partition).map_or(end, |missing| end.min(missing))
    }

    fn missing_from(&self, partition: &TopicPartition) -> Option<Offset> {
        self.fate.markers.end_of(partition, self.fate.clock.monotonic_ms())
    }

    /// Removes records without a marker from the batches. Returns the offsets from which they must be read again.
    fn cut(&self, batches: &mut Vec<Fetched>) -> Vec<(TopicPartition, Offset)> {
        let now_ms = self.fate.clock.monotonic_ms();
        let cut = |batch: &mut Fetched| Some((batch.partition.clone(), self.fate.markers.cut(batch, now_ms)?));
        let again = batches.iter_mut().filter_map(cut).collect();
        batches.retain(|batch| !batch.records.is_empty());
        again
    }

    fn refuses(&self, name: &str) -> Result<(), TransportError> {
        if self.fate.strikes(|rates| rates.fenced) {
            self.note(&format!("{name} fenced"));
            return Err(TransportError::Fenced(name.into()));
        }
        Ok(())
    }

    /// Runs a commit, or kills the process just before or after the commit.
    fn commit<R>(&self, name: &str, commit: impl FnOnce() -> Result<R, TransportError>) -> Result<R, TransportError> {
        if !self.fate.strikes(|rates| rates.crash_in_commit) {
            return commit();
        }
        let before = self.fate.below(2) == 0;
        let done = if before { None } else { Some(commit()) };
        self.note(&format!("dies in {name}, {}", if before { "not committed" } else { "committed" }));
        drop(done);
        self.kill();
        Err(TransportError::Storage("the process died".into()))
    }
}

impl Transport for FaultyTransport {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        self.process.call("consumer")?;
        let fate = &self.process.fate;
        let most = if fate.strikes(|rates| rates.short_poll) { 1 + fate.below(6) as usize } else { usize::MAX };
        let config = ConsumerConfig { max_poll_records: config.max_poll_records.min(most), ..config.clone() };
        let inner = Some(self.log.consumer(&config)?);
        let (held, unmarked) = (Vec::new(), BTreeSet::new());
        Ok(Box::new(FaultyConsumer { inner, process: self.process.clone(), held, unmarked }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.process.call("reader")?;
        let (inner, process) = (self.log.reader()?, self.process.clone());
        Ok(Box::new(FaultyReader { inner, process, assigned: Vec::new() }))
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        self.process.call("producer")?;
        let Some(name) = config.transactional_id.clone() else {
            return Ok(Box::new(PlainFaultyProducer::new(self.process.clone(), self.log.producer(config)?)));
        };
        Ok(Box::new(FaultyProducer::open(&self.log, self.process.clone(), name)?))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

struct FaultyConsumer {
    /// `None` only during drop.
    inner: Option<Box<dyn Consumer>>,
    process: Process,
    /// Assigned partitions that were not reported yet.
    held: Vec<TopicPartition>,
    /// Partitions that were read up to the first record without a marker.
    unmarked: BTreeSet<TopicPartition>,
}

impl FaultyConsumer {
    fn inner(&mut self) -> &mut dyn Consumer {
        &mut **self.inner.as_mut().expect("it is taken only when dropped")
    }

    /// Removes records without a marker, and moves the position back to the first of them.
    fn cut(&mut self, batches: &mut Vec<Fetched>) -> Result<(), TransportError> {
        for batch in &*batches {
            self.unmarked.remove(&batch.partition);
        }
        for (partition, offset) in self.process.cut(batches) {
            self.inner().seek(&partition, offset)?;
            self.unmarked.insert(partition);
        }
        Ok(())
    }

    /// Forgets that these partitions were read up to a missing marker, because their position changes.
    fn forget_unmarked(&mut self, partitions: &[TopicPartition]) {
        self.unmarked.retain(|partition| !partitions.contains(partition));
    }

    /// Removes partitions that were lost before their assignment was reported. Neither change is reported.
    fn forget_lost(&mut self, rebalances: &mut Vec<Rebalance>) {
        for rebalance in &mut *rebalances {
            if let Rebalance::Lost(lost) = rebalance {
                self.forget_unmarked(lost);
                let held = std::mem::take(&mut self.held);
                let (gone, kept): (Vec<_>, Vec<_>) = held.into_iter().partition(|partition| lost.contains(partition));
                lost.retain(|partition| !gone.contains(partition));
                self.held = kept;
            }
        }
        rebalances.retain(|rebalance| *rebalance != Rebalance::Lost(Vec::new()));
    }

    /// Reports the second part of an assignment, if there is one.
    fn take_held(&mut self) -> Option<Rebalance> {
        if self.held.is_empty() {
            return None;
        }
        let held = std::mem::take(&mut self.held);
        self.inner().resume(&held).expect("they are still owned");
        Some(Rebalance::Assigned(held))
    }

    /// Holds back a part of an assignment, if that fault occurs.
    fn hold_some(&mut self, rebalances: &mut [Rebalance]) -> Result<(), TransportError> {
        let Some(Rebalance::Assigned(all)) = rebalances.last_mut().filter(|_| self.held.is_empty()) else {
            return Ok(());
        };
        if all.len() > 1 && self.process.fate.strikes(|rates| rates.piecemeal) {
            let held = all.split_off(1 + self.process.fate.below(all.len() as u64 - 1) as usize);
            self.inner().pause(&held)?;
            self.held = held;
        }
        Ok(())
    }
}

impl Drop for FaultyConsumer {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && self.process.is_dead()
        {
            self.process.fate.bury_consumer(inner);
        }
    }
}

impl Consumer for FaultyConsumer {
    fn subscribe(&mut self, topics: &[Topic]) -> Result<(), TransportError> {
        self.process.call("subscribe")?;
        self.inner().subscribe(topics)
    }

    fn poll(&mut self, timeout: Duration) -> Result<Polled, TransportError> {
        self.process.call("poll")?;
        let goes_on = !self.held.is_empty() && self.process.fate.below(2) == 0;
        let mut polled = if goes_on { Polled::default() } else { self.inner().poll(Duration::ZERO)? };
        self.cut(&mut polled.batches)?;
        self.forget_lost(&mut polled.rebalances);
        if (goes_on || !polled.rebalances.is_empty())
            && let Some(rest) = self.take_held()
        {
            polled.rebalances.insert(0, rest);
        } else {
            self.hold_some(&mut polled.rebalances)?;
        }
        if polled.rebalances.is_empty() && polled.batches.is_empty() {
            self.process.fate.clock.advance(timeout.min(LONGEST_POLL));
        }
        for rebalance in &polled.rebalances {
            self.process.note(&format!("{rebalance:?}"));
        }
        for Fetched { partition, records } in &polled.batches {
            self.process.note(&format!("fetches {partition}: {}", records.len()));
        }
        Ok(polled)
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.forget_unmarked(partitions);
        self.inner().release(partitions)
    }

    fn committed(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
        self.process.call("committed")?;
        self.inner().committed(partitions)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), TransportError> {
        self.unmarked.remove(partition);
        self.inner().seek(partition, offset)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inner().pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inner().resume(partitions)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError> {
        self.process.call("watermarks")?;
        let Watermarks { low, high } = self.inner().watermarks(partition)?;
        Ok(Watermarks { low, high: self.process.end_of(partition, high) })
    }

    fn offset_at(&mut self, partition: &TopicPartition, timestamp: i64) -> Result<Option<Offset>, TransportError> {
        self.process.call("offset_at")?;
        self.inner().offset_at(partition, timestamp)
    }

    fn is_caught_up(&mut self, partition: &TopicPartition) -> bool {
        let unmarked = self.unmarked.contains(partition) && self.process.missing_from(partition).is_some();
        unmarked || self.inner().is_caught_up(partition)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), TransportError> {
        self.process.call("commit")?;
        self.process.refuses("commit")?;
        let Self { inner, process, .. } = self;
        let inner = inner.as_mut().expect("it is taken only when dropped");
        process.commit("commit", || inner.commit(offsets))?;
        process.note(&format!("commits {}", offsets_text(offsets)));
        process.fails("reply to commit", |rates| rates.lost_reply)
    }

    fn group_metadata(&self) -> GroupMetadata {
        self.inner.as_ref().expect("it is taken only when dropped").group_metadata()
    }
}

struct FaultyReader {
    inner: Box<dyn Reader>,
    process: Process,
    assigned: Vec<TopicPartition>,
}

impl FaultyReader {
    /// Removes records without a marker, and moves the position back to the first of them.
    fn read_again(&mut self, from: &BTreeMap<TopicPartition, Offset>) -> Result<(), TransportError> {
        let mut positions = Vec::new();
        for partition in &self.assigned {
            let position = from.get(partition).copied().map_or_else(|| self.inner.position(partition), Ok)?;
            positions.push((partition.clone(), position));
        }
        self.inner.assign(&positions)
    }
}

impl Reader for FaultyReader {
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), TransportError> {
        self.inner.assign(partitions)?;
        self.assigned = partitions.iter().map(|(partition, _)| partition.clone()).collect();
        Ok(())
    }

    fn read(&mut self, timeout: Duration, max: usize) -> Result<Vec<Fetched>, TransportError> {
        self.process.call("read")?;
        let max =
            if self.process.fate.strikes(|rates| rates.short_read) { self.process.fate.below(4) as usize } else { max };
        let mut read = if max == 0 { Vec::new() } else { self.inner.read(timeout, max)? };
        let again: BTreeMap<_, _> = self.process.cut(&mut read).into_iter().collect();
        if !again.is_empty() {
            self.read_again(&again)?;
        }
        if !read.is_empty() {
            // The position has already moved. A caller that gets this error must seek back.
            self.process.fails("reply to read", |rates| rates.unavailable)?;
        }
        for Fetched { partition, records } in &read {
            self.process.note(&format!("restores {partition}: {}", records.len()));
        }
        Ok(read)
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        self.process.call("position")?;
        self.inner.position(partition)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError> {
        self.process.call("watermarks")?;
        let Watermarks { low, high } = self.inner.watermarks(partition)?;
        Ok(Watermarks { low, high: self.process.end_of(partition, high) })
    }

    fn end(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        self.process.call("end")?;
        self.inner.end(partition)
    }
}

fn offsets_text(offsets: &[(TopicPartition, CommittedOffset)]) -> String {
    let texts: Vec<_> =
        offsets.iter().map(|(partition, committed)| format!("{partition}={}", committed.offset)).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests;
