//! Transactions over a bad connection: commits take long, are refused, or end without an answer.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::offsets_text;
use crate::{
    clock::Clock as _,
    testing::{
        faults::Process,
        late_ends::{LateEnds, verb},
    },
    transport::{
        Acknowledged, Consumed, Offset, PendingCommit, Producer, ProducerConfig, ProducerRecord, Progress,
        TopicPartition, Transport as _, TransportError, embedded::EmbeddedLog,
    },
};

/// A slow commit is polled fewer times than this.
const SLOW_COMMIT: u64 = 8;

/// The longest time that a marker is missing, in milliseconds.
const MARKER_MS: u64 = 100;

/// A transactional producer.
pub(super) struct FaultyProducer(Arc<Mutex<Turns>>);

/// The log's two producers, and the late requests to them.
struct Turns {
    /// The producer of the current transaction. `None` only during drop.
    inner: Option<Box<dyn Producer>>,
    /// The producer of the next transaction. `None` only during drop.
    other: Option<Box<dyn Producer>>,
    /// The late requests to end a transaction, for each of the two producers.
    late: [LateEnds; 2],
    log: EmbeddedLog,
    /// The transactional id.
    name: String,
    /// The partitions with records of the open transaction.
    written: BTreeSet<TopicPartition>,
    /// The results of commits that were not reported yet.
    brought: Acknowledged,
    process: Process,
    /// A request to end a transaction was sent and its reply was lost. Only a new producer with the same id can find
    /// out the outcome.
    uncertain: bool,
    /// Whether a commit is in progress.
    commits: bool,
    /// Records sent for the next transaction during a commit. `None` if the next transaction was not begun.
    ahead: Option<Vec<ProducerRecord>>,
}

impl FaultyProducer {
    pub(super) fn open(log: &EmbeddedLog, process: Process, name: String) -> Result<Self, TransportError> {
        // Transactions alternate between two ids, as on Kafka.
        let turn = |turn: &str| log.producer(&ProducerConfig { transactional_id: Some(format!("{name}-{turn}")) });
        Ok(Self(Arc::new(Mutex::new(Turns {
            inner: Some(turn("a")?),
            other: Some(turn("b")?),
            late: <[LateEnds; 2]>::default(),
            log: log.clone(),
            name,
            written: BTreeSet::new(),
            brought: Acknowledged::new(),
            process,
            uncertain: false,
            commits: false,
            ahead: None,
        }))))
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        lock(&self.0)
    }
}

fn lock(turns: &Mutex<Turns>) -> MutexGuard<'_, Turns> {
    turns.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turns {
    fn inner(&mut self) -> Result<&mut dyn Producer, TransportError> {
        if self.uncertain {
            return Err(TransportError::Invalid("this producer does not know how the transaction ended".into()));
        }
        Ok(&mut **self.inner.as_mut().expect("it is taken only when dropped"))
    }

    /// Lets the late requests up to this time end the open transaction. They have no effect if a newer producer has
    /// fenced this one, or if no transaction is open.
    fn let_ends_arrive(&mut self, until_ms: i64) {
        let inners = [self.inner.as_mut(), self.other.as_mut()];
        for (inner, late) in inners.into_iter().zip(&mut self.late) {
            let Some(inner) = inner else { continue };
            for commits in late.arrive(until_ms) {
                let ended = if commits {
                    inner.commit_transaction().map(|brought| self.brought.extend(brought))
                } else {
                    inner.abort_transaction()
                };
                // Later records belong to another transaction.
                if ended.and_then(|()| inner.begin_transaction()).is_ok() {
                    self.process.note(&format!("an end comes again and {} what is open", verb(commits)));
                }
            }
        }
    }

    /// Loses the reply to a request that ends a transaction.
    fn lose_reply(&mut self, name: &str) -> TransportError {
        self.process.note(&format!("reply to {name} lost"));
        self.uncertain = true;
        TransportError::Retriable(name.into())
    }

    /// The offsets at which the open transaction's records will begin.
    fn beginnings(&self) -> Result<Vec<(TopicPartition, Offset)>, TransportError> {
        let beginning = |partition: &TopicPartition| {
            let ends = self.log.end_offsets(&partition.topic)?;
            Ok((partition.clone(), ends[partition.partition as usize]))
        };
        self.written.iter().map(beginning).collect()
    }

    /// Writes the commit markers to the transaction's partitions. Some markers may be delayed.
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

    /// Commits the open transaction. The other producer then takes over, with the records that were sent ahead.
    fn commit(&mut self) -> Result<Acknowledged, TransportError> {
        let process = self.process.clone();
        process.fate.delay();
        process.refuses("commit_transaction")?;
        self.let_ends_arrive(process.fate.clock.monotonic_ms());
        if process.fate.strikes(|rates| rates.abort) {
            process.note("commit_transaction refused");
            self.late[0].sent(&process, true);
            return Err(TransportError::Abort("commit_transaction".into()));
        }
        let lost = process.fate.strikes(|rates| rates.lost_reply);
        if lost && process.fate.below(2) == 0 {
            process.note("commit_transaction lost");
            self.uncertain = true;
            return Err(TransportError::Retriable("commit_transaction".into()));
        }
        let beginnings = self.beginnings()?;
        let brought = process.commit("commit_transaction", || self.inner()?.commit_transaction())?;
        process.note("commits a transaction");
        self.write_markers(beginnings);
        if lost {
            return Err(self.lose_reply("commit_transaction"));
        }
        self.late[0].sent(&process, true);
        self.brought.extend(brought);
        std::mem::swap(&mut self.inner, &mut self.other);
        self.late.swap(0, 1);
        if let Some(ahead) = self.ahead.take() {
            self.inner()?.begin_transaction()?;
            ahead.into_iter().try_for_each(|record| self.write(record))?;
        }
        Ok(std::mem::take(&mut self.brought))
    }

    fn write(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.written.insert(TopicPartition { topic: record.topic.clone(), partition: record.partition });
        self.inner()?.send(record)
    }

    fn send_offsets(&mut self, consumed: Consumed<'_>) -> Result<(), TransportError> {
        self.process.call("send_offsets")?;
        self.process.refuses("send_offsets")?;
        self.let_ends_arrive(self.process.fate.clock.monotonic_ms());
        self.inner()?.send_offsets(consumed)?;
        self.process.note(&format!("sends offsets {}", offsets_text(consumed.offsets)));
        Ok(())
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        if !self.process.is_dead() {
            // A newer producer has fenced these requests.
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
        let mut turns = self.turns();
        turns.process.call("init_transactions")?;
        if let Some(other) = &mut turns.other {
            other.init_transactions()?;
        }
        turns.inner()?.init_transactions()?;
        turns.process.fate.markers.write(&turns.name);
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        let mut turns = self.turns();
        if turns.commits {
            turns.ahead = Some(Vec::new());
            return Ok(());
        }
        let now_ms = turns.process.fate.clock.monotonic_ms();
        turns.let_ends_arrive(now_ms);
        turns.inner()?.begin_transaction()
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        let mut turns = self.turns();
        turns.process.call("send")?;
        let now_ms = turns.process.fate.clock.monotonic_ms();
        turns.let_ends_arrive(now_ms);
        match &mut turns.ahead {
            Some(ahead) => {
                ahead.push(record);
                Ok(())
            }
            None => turns.write(record),
        }
    }

    fn send_offsets(&mut self, consumed: Consumed<'_>) -> Result<(), TransportError> {
        self.turns().send_offsets(consumed)
    }

    fn begin_commit(&mut self, consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError> {
        let mut turns = self.turns();
        if let Some(consumed) = consumed {
            turns.send_offsets(consumed).map_err(TransportError::before_commit)?;
        }
        turns.commits = true;
        let fate = &turns.process.fate;
        let takes = if fate.strikes(|rates| rates.slow_commit) { fate.below(SLOW_COMMIT) } else { 0 };
        Ok(Box::new(FaultyCommit { turns: self.0.clone(), takes }))
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        let mut turns = self.turns();
        if turns.commits {
            return Err(TransportError::Invalid("a commit is in progress; it cannot be aborted".into()));
        }
        turns.process.call("abort_transaction")?;
        turns.ahead = None;
        turns.written.clear();
        let now_ms = turns.process.fate.clock.monotonic_ms();
        turns.let_ends_arrive(now_ms);
        turns.inner()?.abort_transaction()?;
        let process = turns.process.clone();
        process.note("aborts a transaction");
        turns.late[0].sent(&process, false);
        if process.fate.strikes(|rates| rates.lost_reply) {
            return Err(turns.lose_reply("abort_transaction"));
        }
        Ok(())
    }

    fn may_end_again(&mut self) -> bool {
        self.turns().late.iter().any(|late| late.noticed)
    }

    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError> {
        self.turns().inner()?.begin_flush()
    }

    fn discard(&mut self) {
        self.turns().inner.as_mut().expect("it is taken only when dropped").discard();
    }
}

/// A commit that may take long.
struct FaultyCommit {
    turns: Arc<Mutex<Turns>>,
    /// How many more polls give no answer.
    takes: u64,
}

impl PendingCommit for FaultyCommit {
    fn poll(mut self: Box<Self>, _timeout: Duration) -> Result<Progress, TransportError> {
        if self.takes > 0 {
            self.takes -= 1;
            return Ok(Progress::Pending(self));
        }
        let mut turns = lock(&self.turns);
        turns.commits = false;
        turns.commit().map(Progress::Done)
    }

    fn may_send_ahead(&mut self) -> bool {
        lock(&self.turns).process.fate.strikes(|rates| rates.slow_commit)
    }
}
