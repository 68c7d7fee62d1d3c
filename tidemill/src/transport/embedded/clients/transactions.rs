//! A transactional producer. It keeps its records in memory until it commits. Aborted and open transactions therefore
//! never reach the log, and every record in the log is committed.

use std::sync::{
    Arc,
    atomic::{AtomicI32, Ordering},
};

use super::{offsets::GroupOffsets, outbox::Outbox};
use crate::transport::embedded::{
    log::broker::{Broker, Coordinator},
    storage::Change,
};
use crate::transport::{Answered, Consumed, PendingCommit, Producer, ProducerRecord, TransportError};

/// A transactional producer.
pub(in crate::transport::embedded) struct TransactionalProducer {
    outbox: Outbox,
    id: String,
    state: ProducerState,
}

/// The state of the producer.
enum ProducerState {
    /// `init_transactions` was not called yet.
    New,
    /// No transaction is open.
    Ready(Epoch),
    /// A transaction is open. The value holds its offsets.
    Open(Epoch, Vec<GroupOffsets>),
}

/// The epoch of this producer, and the newest epoch of its transactional id.
#[derive(Clone)]
struct Epoch {
    own: i32,
    newest: Arc<AtomicI32>,
}

impl TransactionalProducer {
    pub(in crate::transport::embedded) fn new(broker: Arc<Broker>, id: String) -> Self {
        Self { outbox: Outbox::new(broker), id, state: ProducerState::New }
    }

    fn check_epoch(&self, epoch: &Epoch) -> Result<(), TransportError> {
        let newest = epoch.newest.load(Ordering::SeqCst);
        if newest == epoch.own {
            return Ok(());
        }
        let Self { id, .. } = self;
        let own = epoch.own;
        Err(TransportError::Fenced(
            format!("transactional id '{id}' has epoch {newest}, but this producer has {own}").into(),
        ))
    }

    /// The epoch, if a transaction is open and no newer producer uses the transactional id.
    fn open(&self, call: &str) -> Result<Epoch, TransportError> {
        let epoch = match &self.state {
            ProducerState::New => return Err(invalid(call, "call init_transactions first")),
            ProducerState::Ready(epoch) => {
                self.check_epoch(epoch)?;
                return Err(invalid(call, "no transaction is open: call begin_transaction first"));
            }
            ProducerState::Open(epoch, _) => epoch,
        };
        self.check_epoch(epoch)?;
        Ok(epoch.clone())
    }

    fn commit(&mut self, coordinator: &mut Coordinator, now_ms: i64) -> Result<(), TransportError> {
        let epoch = self.open("begin_commit")?;
        let ProducerState::Open(_, offsets) = &self.state else {
            return Ok(());
        };
        for offsets in offsets {
            offsets.check(coordinator, now_ms)?;
        }
        let changes = offsets.iter().flat_map(GroupOffsets::changes).collect();
        self.outbox.deliver(changes)?;
        if let ProducerState::Open(_, offsets) = std::mem::replace(&mut self.state, ProducerState::Ready(epoch)) {
            for offsets in offsets {
                offsets.publish(coordinator);
            }
        }
        Ok(())
    }
}

impl Producer for TransactionalProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        if !matches!(self.state, ProducerState::New) {
            return Err(invalid("init_transactions", "it must be called only once"));
        }
        let mut coordinator = self.outbox.broker.lock();
        let newest = coordinator.epochs.entry(self.id.clone()).or_insert_with(|| Arc::new(AtomicI32::new(-1)));
        let own = newest.load(Ordering::SeqCst) + 1;
        self.outbox.broker.storage.write(&[Change::Epoch { transactional_id: &self.id, epoch: own }])?;
        newest.store(own, Ordering::SeqCst);
        self.state = ProducerState::Ready(Epoch { own, newest: Arc::clone(newest) });
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        let epoch = match &self.state {
            ProducerState::New => return Err(invalid("begin_transaction", "call init_transactions first")),
            ProducerState::Open(epoch, _) => {
                self.check_epoch(epoch)?;
                return Err(invalid("begin_transaction", "a transaction is open: commit or abort it first"));
            }
            ProducerState::Ready(epoch) => epoch.clone(),
        };
        self.check_epoch(&epoch)?;
        self.state = ProducerState::Open(epoch, Vec::new());
        Ok(())
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        match &self.state {
            ProducerState::Open(epoch, _) if epoch.newest.load(Ordering::Relaxed) == epoch.own => {
                self.outbox.push(record)
            }
            _ => self.open("send").map(|_| ()),
        }
    }

    fn send_offsets(&mut self, Consumed { offsets, member }: Consumed<'_>) -> Result<(), TransportError> {
        self.open("send_offsets")?;
        let added = GroupOffsets { speaker: member.clone(), offsets: offsets.to_vec() };
        let now_ms = self.outbox.broker.clock.monotonic_ms();
        added.check(&mut self.outbox.broker.lock(), now_ms)?;
        if let ProducerState::Open(_, offsets) = &mut self.state {
            offsets.push(added);
        }
        Ok(())
    }

    fn begin_commit(&mut self, consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError> {
        if let Some(consumed) = consumed {
            self.send_offsets(consumed).map_err(TransportError::before_commit)?;
        }
        let broker = Arc::clone(&self.outbox.broker);
        let now_ms = broker.clock.monotonic_ms();
        // No other producer can take over between the checks and the append, because that needs the coordinator's lock.
        self.commit(&mut broker.lock(), now_ms)?;
        broker.maintain_if_due();
        Ok(Box::new(Answered(self.outbox.take_acknowledged())))
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        let epoch = self.open("abort_transaction")?;
        self.outbox.clear();
        self.state = ProducerState::Ready(epoch);
        Ok(())
    }

    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError> {
        if let ProducerState::Ready(epoch) | ProducerState::Open(epoch, _) = &self.state {
            self.check_epoch(epoch)?;
        }
        Ok(Box::new(Answered::default()))
    }

    /// This producer sends no records outside a transaction.
    fn discard(&mut self) {}
}

fn invalid(call: &str, why: &str) -> TransportError {
    TransportError::Invalid(format!("{call}: {why}").into())
}
