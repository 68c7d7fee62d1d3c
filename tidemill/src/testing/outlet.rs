//! A producer without transactions. Its records leave for the log partition by partition, and this takes time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::faults::{Background, Process};
use crate::transport::{
    Acknowledged, Consumed, PendingCommit, Producer, ProducerRecord, Progress, TopicPartition, TransportError,
};

/// Records that were sent but are not in the log yet. They leave while their thread does something else or hangs.
pub(crate) struct Outlet {
    process: Process,
    inner: Box<dyn Producer>,
    waiting: BTreeMap<TopicPartition, VecDeque<ProducerRecord>>,
    /// The number of records that the current flush still has to write, for each partition.
    flushing: BTreeMap<TopicPartition, usize>,
    /// The end offsets of partitions written by the flush. The next field has those written outside a flush.
    flushed: Acknowledged,
    acknowledged: Acknowledged,
    /// Whether the flush takes several turns.
    slow: bool,
    /// The process dies during the flush, after this number of partitions.
    dies_after: Option<u64>,
    /// An error of a record that was written in the background. The next flush returns it.
    failed: Option<TransportError>,
}

impl Background for Outlet {
    fn trickle(&mut self) {
        let fate = self.process.fate.clone();
        if self.waiting.is_empty() || self.process.is_dead() || fate.below(4) > 0 {
            return;
        }
        let number = fate.below(self.waiting.len() as u64) as usize;
        if let Some(partition) = self.waiting.keys().nth(number).cloned()
            && let Err(error) = self.deliver(&partition)
        {
            self.failed.get_or_insert(error);
        }
    }

    fn spare(&mut self) {
        self.dies_after = None;
    }
}

impl Outlet {
    /// Writes a partition's waiting records. During a flush, writes only the records that belong to the flush.
    fn deliver(&mut self, partition: &TopicPartition) -> Result<(), TransportError> {
        let Some(mut records) = self.waiting.remove(partition) else { return Ok(()) };
        let flushing = self.flushing.remove(partition);
        let count = flushing.unwrap_or(records.len());
        self.process.note(&format!("delivers {partition}: {count}"));
        let leaving: Vec<_> = records.drain(..count).collect();
        if !records.is_empty() {
            self.waiting.insert(partition.clone(), records);
        }
        leaving.into_iter().try_for_each(|record| self.inner.send(record))?;
        let acknowledged = self.inner.flush()?;
        let ends = if flushing.is_some() { &mut self.flushed } else { &mut self.acknowledged };
        ends.extend(acknowledged);
        Ok(())
    }

    fn begin_flush(&mut self) {
        self.flushing = self.waiting.iter().map(|(partition, records)| (partition.clone(), records.len())).collect();
        // The flush also reports records that were written before it.
        self.flushed.append(&mut self.acknowledged);
        let fate = &self.process.fate;
        self.slow = fate.strikes(|rates| rates.slow_flush);
        self.dies_after =
            fate.strikes(|rates| rates.crash_in_commit).then(|| fate.below(self.flushing.len() as u64 + 1));
    }

    /// Continues the flush with one more partition. Returns whether the flush is complete.
    fn go_on(&mut self) -> Result<bool, TransportError> {
        if let Some(left) = &mut self.dies_after {
            if *left == 0 {
                self.process.note("dies in a flush");
                self.process.kill();
                return Err(TransportError::Storage("the process died".into()));
            }
            *left -= 1;
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let number = self.process.fate.below(self.flushing.len() as u64) as usize;
        if let Some(partition) = self.flushing.keys().nth(number).cloned() {
            self.deliver(&partition)?;
        }
        Ok(self.flushing.is_empty() && self.dies_after.is_none())
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        while !self.go_on()? {}
        Ok(())
    }
}

/// The stream thread's view of the producer.
pub(crate) struct PlainFaultyProducer {
    outlet: Arc<Mutex<Outlet>>,
    process: Process,
}

impl PlainFaultyProducer {
    pub(crate) fn new(process: Process, inner: Box<dyn Producer>) -> Self {
        let outlet = Outlet {
            process: process.clone(),
            inner,
            waiting: BTreeMap::new(),
            flushing: BTreeMap::new(),
            flushed: Acknowledged::new(),
            acknowledged: Acknowledged::new(),
            slow: false,
            dies_after: None,
            failed: None,
        };
        let outlet = Arc::new(Mutex::new(outlet));
        process.open_outlet(&outlet);
        Self { outlet, process }
    }

    fn outlet(&self) -> MutexGuard<'_, Outlet> {
        lock(&self.outlet)
    }
}

fn lock(outlet: &Mutex<Outlet>) -> MutexGuard<'_, Outlet> {
    outlet.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Producer for PlainFaultyProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        self.outlet().inner.init_transactions()
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        self.outlet().inner.begin_transaction()
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.process.call("send")?;
        let partition = TopicPartition::new(record.topic.clone(), record.partition);
        self.outlet().waiting.entry(partition).or_default().push_back(record);
        Ok(())
    }

    fn send_offsets(&mut self, consumed: Consumed<'_>) -> Result<(), TransportError> {
        self.outlet().inner.send_offsets(consumed)
    }

    fn begin_commit(&mut self, consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError> {
        self.outlet().inner.begin_commit(consumed)
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        self.outlet().inner.abort_transaction()
    }

    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError> {
        self.process.call("flush")?;
        let mut outlet = self.outlet();
        outlet.begin_flush();
        if !outlet.slow {
            outlet.flush()?;
        }
        Ok(Box::new(FaultyFlush { outlet: self.outlet.clone(), process: self.process.clone() }))
    }

    /// A flush that the caller waits for, without turns in between.
    fn flush(&mut self) -> Result<Acknowledged, TransportError> {
        self.process.call("flush")?;
        let mut outlet = self.outlet();
        outlet.begin_flush();
        outlet.flush()?;
        Ok(std::mem::take(&mut outlet.flushed))
    }

    fn discard(&mut self) {
        let mut outlet = self.outlet();
        outlet.waiting.clear();
        outlet.flushing.clear();
        outlet.flushed.clear();
        (outlet.slow, outlet.dies_after, outlet.failed) = (false, None, None);
    }
}

/// A flush that may take several turns.
struct FaultyFlush {
    outlet: Arc<Mutex<Outlet>>,
    process: Process,
}

impl PendingCommit for FaultyFlush {
    fn poll(self: Box<Self>, timeout: Duration) -> Result<Progress, TransportError> {
        let mut outlet = lock(&self.outlet);
        if outlet.slow {
            if !timeout.is_zero() {
                self.process.fate.clock.advance(Duration::from_millis(1));
            } else if self.process.fate.below(2) == 0 {
                drop(outlet);
                return Ok(Progress::Pending(self));
            }
            if !outlet.go_on()? {
                drop(outlet);
                return Ok(Progress::Pending(self));
            }
            outlet.slow = false;
        }
        let flushed = std::mem::take(&mut outlet.flushed);
        drop(outlet);
        self.process.fails("reply to flush", |rates| rates.lost_reply)?;
        Ok(Progress::Done(flushed))
    }

    fn may_send_ahead(&mut self) -> bool {
        self.process.fate.strikes(|rates| rates.slow_commit)
    }
}
