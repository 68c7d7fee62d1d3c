//! A log seen through a bad connection: calls fail, take long, or have an effect that nobody learns of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    faults::{FaultRates, Process},
    late_ends::{LateEnds, verb},
    outlet::PlainFaultyProducer,
};
use crate::{
    clock::Clock as _,
    transport::{
        Admin, CommittedOffset, Consumer, ConsumerConfig, Fetched, GroupMetadata, Offset, Polled, Producer,
        ProducerConfig, ProducerRecord, Reader, Rebalance, Topic, TopicPartition, Transport, TransportError,
        embedded::EmbeddedLog,
    },
};

/// A slow commit is asked for less often than this.
const SLOW_COMMIT: u64 = 8;

/// No poll waits longer, whatever it may.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// The longest time that a marker is missing.
const MARKER_MS: u64 = 100;

/// One process's connections.
pub(crate) struct FaultyTransport {
    pub(crate) log: EmbeddedLog,
    pub(crate) process: Process,
}

impl Process {
    /// A call that may fail without effect, or take long.
    pub(super) fn call(&self, name: &str) -> Result<(), TransportError> {
        if self.is_dead() {
            return Err(TransportError::Storage("the process died".into()));
        }
        if self.is_cut_off() {
            return Err(TransportError::Retriable(name.to_owned()));
        }
        self.fate.delay();
        self.fails(name, |rates| rates.unavailable)
    }

    pub(super) fn fails(&self, name: &str, rate: impl FnOnce(&FaultRates) -> f64) -> Result<(), TransportError> {
        if self.fate.strikes(rate) {
            self.note(&format!("{name} unavailable"));
            return Err(TransportError::Retriable(name.to_owned()));
        }
        Ok(())
    }

    /// Where a committed read ends: at the end, or before what has no marker yet.
    fn end_of(&self, partition: &TopicPartition, end: Offset) -> Offset {
        self.missing_from(partition).map_or(end, |missing| end.min(missing))
    }

    fn missing_from(&self, partition: &TopicPartition) -> Option<Offset> {
        self.fate.markers.end_of(partition, self.fate.clock.monotonic_ms())
    }

    /// Takes out of batches what has no marker yet, and tells from where on it is to be read again.
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
            return Err(TransportError::Fenced(name.to_owned()));
        }
        Ok(())
    }

    /// Runs a commit, or kills the process just before or after it.
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
        // Transactions take turns on two ids, as on Kafka.
        let turn = |turn: &str| self.log.producer(&ProducerConfig { transactional_id: Some(format!("{name}-{turn}")) });
        Ok(Box::new(FaultyProducer {
            inner: Some(turn("a")?),
            other: Some(turn("b")?),
            late: <[LateEnds; 2]>::default(),
            log: self.log.clone(),
            name,
            written: BTreeSet::new(),
            brought: Vec::new(),
            process: self.process.clone(),
            uncertain: false,
            commit_takes: None,
            ahead: None,
        }))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

struct FaultyConsumer {
    /// Present until dropped.
    inner: Option<Box<dyn Consumer>>,
    process: Process,
    /// Assigned, and not told of yet.
    held: Vec<TopicPartition>,
    /// Partitions that have been read up to what has no marker yet.
    unmarked: BTreeSet<TopicPartition>,
}

impl FaultyConsumer {
    fn inner(&mut self) -> &mut dyn Consumer {
        &mut **self.inner.as_mut().expect("it is taken only when dropped")
    }

    /// Goes back to where what has no marker yet begins.
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

    /// Wherever these are read from next, that is not where they were read up to.
    fn forget_unmarked(&mut self, partitions: &[TopicPartition]) {
        self.unmarked.retain(|partition| !partitions.contains(partition));
    }

    /// What was lost before it was told of is told of neither as assigned nor as lost.
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

    /// The rest of an assignment that came in parts, if its time has come.
    fn take_held(&mut self) -> Option<Rebalance> {
        if self.held.is_empty() {
            return None;
        }
        let held = std::mem::take(&mut self.held);
        self.inner().resume(&held).expect("they are still owned");
        Some(Rebalance::Assigned(held))
    }

    /// Keeps a part of an assignment back.
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

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), TransportError> {
        self.process.call("watermarks")?;
        let (low, high) = self.inner().watermarks(partition)?;
        Ok((low, self.process.end_of(partition, high)))
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
    /// Goes back to where what has no marker yet begins.
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
            // The position has moved: whoever is told nothing of it has to go back.
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

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), TransportError> {
        self.process.call("watermarks")?;
        let (low, high) = self.inner.watermarks(partition)?;
        Ok((low, self.process.end_of(partition, high)))
    }

    fn end(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        self.process.call("end")?;
        self.inner.end(partition)
    }
}

/// A producer that writes in transactions.
struct FaultyProducer {
    /// The one whose turn it is. Present until dropped.
    inner: Option<Box<dyn Producer>>,
    /// The one whose turn comes with the next transaction. Present until dropped.
    other: Option<Box<dyn Producer>>,
    /// What each of the two has on its way that ends transactions.
    late: [LateEnds; 2],
    log: EmbeddedLog,
    /// The transactional id.
    name: String,
    /// Where the open transaction has records.
    written: BTreeSet<TopicPartition>,
    /// What commits have brought out.
    brought: Vec<(TopicPartition, Offset)>,
    process: Process,
    /// An end was sent and its reply lost: only a new producer of the same id can find out.
    uncertain: bool,
    /// How often the commit that was begun is asked for in vain; `None` when none was.
    commit_takes: Option<u64>,
    /// What was sent for the next transaction beside a commit, if that was begun.
    ahead: Option<Vec<ProducerRecord>>,
}

impl FaultyProducer {
    fn inner(&mut self) -> Result<&mut dyn Producer, TransportError> {
        if self.uncertain {
            return Err(TransportError::Invalid("the last transaction's end is unknown to this producer".to_owned()));
        }
        Ok(&mut **self.inner.as_mut().expect("it is taken only when dropped"))
    }

    /// Lets what comes again until a time end what is open. A newer producer has fenced it, and without an open
    /// transaction it changes nothing.
    fn let_ends_arrive(&mut self, until_ms: i64) {
        let inners = [self.inner.as_mut(), self.other.as_mut()];
        for (inner, late) in inners.into_iter().zip(&mut self.late) {
            let Some(inner) = inner else { continue };
            for commits in late.arrive(until_ms) {
                let ended = if commits { inner.commit_transaction() } else { inner.abort_transaction() };
                // What is sent from here on is another transaction.
                if ended.and_then(|()| inner.begin_transaction()).is_ok() {
                    self.process.note(&format!("an end comes again and {} what is open", verb(commits)));
                }
            }
        }
    }

    /// An end was asked for and its reply lost.
    fn lose_reply(&mut self, name: &str) -> TransportError {
        self.process.note(&format!("reply to {name} lost"));
        self.uncertain = true;
        TransportError::Retriable(name.to_owned())
    }

    /// Where the open transaction's records will begin.
    fn beginnings(&self) -> Result<Vec<(TopicPartition, Offset)>, TransportError> {
        let beginning = |partition: &TopicPartition| {
            let ends = self.log.end_offsets(&partition.topic)?;
            Ok((partition.clone(), ends[partition.partition as usize]))
        };
        self.written.iter().map(beginning).collect()
    }

    /// The log has committed, and writes that down where the records are.
    fn write_markers(&mut self, beginnings: Vec<(TopicPartition, Offset)>) {
        let fate = &self.process.fate;
        self.written.clear();
        if fate.strikes(|rates| rates.late_markers) {
            for (partition, first) in beginnings {
                let until_ms = fate.clock.monotonic_ms() + fate.below(MARKER_MS) as i64;
                self.process.note(&format!("the end is not on {partition} before {until_ms}"));
                fate.markers.delay(&self.name, partition, first, until_ms);
            }
        }
    }

    /// A commit was begun; it may take long.
    fn take_time(&mut self) {
        let slow = self.process.fate.strikes(|rates| rates.slow_commit);
        self.commit_takes = Some(if slow { self.process.fate.below(SLOW_COMMIT) } else { 0 });
    }

    /// Whether what was begun takes longer.
    fn takes_longer(&mut self) -> bool {
        match &mut self.commit_takes {
            Some(left @ 1..) => {
                *left -= 1;
                true
            }
            Some(0) | None => {
                self.commit_takes = None;
                false
            }
        }
    }
}

impl Drop for FaultyProducer {
    fn drop(&mut self) {
        if !self.process.is_dead() {
            // Whoever took over has fenced them.
            self.let_ends_arrive(i64::MAX);
            return;
        }
        for inner in self.inner.take().into_iter().chain(self.other.take()) {
            self.process.fate.bury_producer(inner);
        }
    }
}

impl Producer for FaultyProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        self.process.call("init_transactions")?;
        if let Some(other) = &mut self.other {
            other.init_transactions()?;
        }
        self.inner()?.init_transactions()?;
        self.process.fate.markers.write(&self.name);
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        if self.commit_takes.is_some() {
            self.ahead = Some(Vec::new());
            return Ok(());
        }
        self.let_ends_arrive(self.process.fate.clock.monotonic_ms());
        self.inner()?.begin_transaction()
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.process.call("send")?;
        self.let_ends_arrive(self.process.fate.clock.monotonic_ms());
        match &mut self.ahead {
            Some(ahead) => {
                ahead.push(record);
                Ok(())
            }
            None => {
                self.written.insert(TopicPartition { topic: record.topic.clone(), partition: record.partition });
                self.inner()?.send(record)
            }
        }
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &GroupMetadata,
    ) -> Result<(), TransportError> {
        self.process.call("send_offsets")?;
        self.process.refuses("send_offsets")?;
        self.let_ends_arrive(self.process.fate.clock.monotonic_ms());
        self.inner()?.send_offsets(offsets, group)?;
        self.process.note(&format!("sends offsets {}", offsets_text(offsets)));
        Ok(())
    }

    fn commit_transaction(&mut self) -> Result<(), TransportError> {
        let process = self.process.clone();
        process.fate.delay();
        process.refuses("commit_transaction")?;
        self.let_ends_arrive(process.fate.clock.monotonic_ms());
        if process.fate.strikes(|rates| rates.abort) {
            process.note("commit_transaction refused");
            self.late[0].sent(&process, true);
            return Err(TransportError::Abort("commit_transaction".to_owned()));
        }
        let lost = process.fate.strikes(|rates| rates.lost_reply);
        if lost && process.fate.below(2) == 0 {
            process.note("commit_transaction lost");
            self.uncertain = true;
            return Err(TransportError::Retriable("commit_transaction".to_owned()));
        }
        let beginnings = self.beginnings()?;
        process.commit("commit_transaction", || self.inner()?.commit_transaction())?;
        process.note("commits a transaction");
        self.write_markers(beginnings);
        if lost {
            return Err(self.lose_reply("commit_transaction"));
        }
        self.late[0].sent(&process, true);
        let brought = self.inner()?.take_acknowledged();
        self.brought.extend(brought);
        std::mem::swap(&mut self.inner, &mut self.other);
        self.late.swap(0, 1);
        Ok(())
    }

    fn begin_commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &GroupMetadata,
    ) -> Result<(), TransportError> {
        self.send_offsets(offsets, group).map_err(TransportError::before_commit)?;
        self.take_time();
        Ok(())
    }

    fn poll_commit(&mut self, _timeout: Duration) -> Result<bool, TransportError> {
        if self.takes_longer() {
            return Ok(false);
        }
        self.commit_transaction()?;
        if let Some(ahead) = self.ahead.take() {
            self.inner()?.begin_transaction()?;
            for record in ahead {
                self.written.insert(TopicPartition { topic: record.topic.clone(), partition: record.partition });
                self.inner()?.send(record)?;
            }
        }
        Ok(true)
    }

    fn may_send_ahead(&mut self) -> bool {
        self.commit_takes.is_some() && self.process.fate.strikes(|rates| rates.slow_commit)
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        if self.commit_takes.is_some() {
            return Err(TransportError::Invalid("a commit is on its way: it cannot be aborted".to_owned()));
        }
        self.process.call("abort_transaction")?;
        self.ahead = None;
        self.written.clear();
        self.let_ends_arrive(self.process.fate.clock.monotonic_ms());
        self.inner()?.abort_transaction()?;
        self.process.note("aborts a transaction");
        self.late[0].sent(&self.process, false);
        if self.process.fate.strikes(|rates| rates.lost_reply) {
            return Err(self.lose_reply("abort_transaction"));
        }
        Ok(())
    }

    fn may_end_again(&mut self) -> bool {
        self.late.iter().any(|late| late.noticed)
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        self.inner()?.flush()
    }

    fn discard(&mut self) {
        self.inner.as_mut().expect("it is taken only when dropped").discard();
    }

    fn take_acknowledged(&mut self) -> Vec<(TopicPartition, Offset)> {
        let mut brought = std::mem::take(&mut self.brought);
        brought.extend(self.inner.as_mut().expect("it is taken only when dropped").take_acknowledged());
        brought
    }
}

fn offsets_text(offsets: &[(TopicPartition, CommittedOffset)]) -> String {
    let texts: Vec<_> =
        offsets.iter().map(|(partition, committed)| format!("{partition}={}", committed.offset)).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests;
