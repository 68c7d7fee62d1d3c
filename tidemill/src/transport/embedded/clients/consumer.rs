//! A member of a consumer group.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{holdings::Holdings, offsets::GroupOffsets};
use crate::transport::embedded::{
    group::{Group, GroupSignal, MemberId},
    log::broker::{Broker, Coordinator},
    log::topics::Topics,
};
use crate::transport::{
    CommittedOffset, Consumer, ConsumerConfig, GroupMetadata, Offset, Polled, Rebalance, Topic, TopicPartition,
    TransportError, Waker, Watermarks,
};

/// The longest wait of a poll before it checks whether other members' sessions have expired.
const WAIT: Duration = Duration::from_millis(100);

/// The most records that a search by time reads at once.
const SCANNED: usize = 1000;

/// A consumer of the embedded log.
pub(in crate::transport::embedded) struct EmbeddedConsumer {
    broker: Arc<Broker>,
    config: ConsumerConfig,
    topics: Vec<Topic>,
    membership: Option<Membership>,
    holdings: Holdings,
    /// Whether the next poll must end at once.
    woken: Arc<AtomicBool>,
    /// A subscribed topic that was deleted.
    missing: Option<Topic>,
}

/// The consumer's membership in its group.
struct Membership {
    id: MemberId,
    generation: i32,
    heartbeat_ms: Arc<AtomicI64>,
    signal: Arc<GroupSignal>,
    /// The group's version at the last reconciliation.
    version: u64,
}

impl EmbeddedConsumer {
    pub(in crate::transport::embedded) fn new(broker: Arc<Broker>, config: ConsumerConfig) -> Self {
        Self {
            broker,
            config,
            topics: Vec::new(),
            membership: None,
            holdings: Holdings::default(),
            woken: Arc::default(),
            missing: None,
        }
    }

    fn session_timeout_ms(&self) -> i64 {
        i64::try_from(self.config.session_timeout.as_millis()).unwrap_or(i64::MAX)
    }

    /// Sends a heartbeat and returns changes of ownership. Takes no lock if nothing changed.
    fn heartbeat(&mut self) -> Result<Vec<Rebalance>, TransportError> {
        let Some(membership) = &self.membership else {
            return Err(TransportError::Invalid("the consumer is not subscribed; call subscribe first".into()));
        };
        let now_ms = self.broker.clock.monotonic_ms();
        let signal = Arc::clone(&membership.signal);
        let mut rebalances = Vec::new();
        let known = signal.version.load(Ordering::SeqCst) == membership.version;
        if !known || now_ms >= signal.next_expiry_ms.load(Ordering::SeqCst) {
            let broker = Arc::clone(&self.broker);
            rebalances = self.reconcile(&mut broker.lock(), now_ms);
            broker.arrivals.tell();
        }
        if let Some(membership) = &self.membership {
            membership.heartbeat_ms.store(now_ms, Ordering::SeqCst);
            signal.next_expiry_ms.fetch_min(now_ms.saturating_add(self.session_timeout_ms()), Ordering::SeqCst);
        }
        match &self.missing {
            // The rebalance that takes the topic's partitions away is returned first.
            Some(topic) if rebalances.is_empty() => Err(TransportError::UnknownTopic(topic.to_string())),
            _ => Ok(rebalances),
        }
    }

    fn reconcile(&mut self, coordinator: &mut Coordinator, now_ms: i64) -> Vec<Rebalance> {
        let (group, topics) = coordinator.group(&self.config.group, now_ms);
        self.missing = self.topics.iter().find(|topic| topics.count(topic).is_none()).cloned();
        let mut rebalances = Vec::new();
        let news = self.membership.as_ref().and_then(|membership| group.reconcile(&membership.id));
        let news = news.unwrap_or_else(|| {
            let lost = self.holdings.lose_all();
            rebalances.extend((!lost.is_empty()).then_some(Rebalance::Lost(lost)));
            let membership = self.join(group, topics, now_ms);
            let news = group.reconcile(&membership.id).unwrap_or_default();
            self.membership = Some(membership);
            news
        });
        for change in &news {
            self.holdings.apply(change, group, topics);
        }
        if let Some(membership) = &mut self.membership {
            membership.version = group.signal.version.load(Ordering::SeqCst);
            membership.generation = group.member(&membership.id).map_or(0, |member| member.generation);
        }
        rebalances.extend(news);
        rebalances
    }

    fn join(&self, group: &mut Group, topics: &Topics, now_ms: i64) -> Membership {
        let counts = |topic: &str| topics.count(topic);
        let timeout = self.session_timeout_ms();
        let (id, heartbeat_ms) = group.join(&self.config.client_id, timeout, &self.topics, now_ms, &counts);
        let signal = Arc::clone(&group.signal);
        // Version 0 makes the first poll ask for the member's partitions.
        Membership { id, generation: 0, heartbeat_ms, signal, version: 0 }
    }
}

impl Consumer for EmbeddedConsumer {
    fn subscribe(&mut self, topics: &[Topic]) -> Result<(), TransportError> {
        let now_ms = self.broker.clock.monotonic_ms();
        let mut coordinator = self.broker.lock();
        for topic in topics {
            coordinator.topics.get(topic)?;
        }
        self.topics = topics.to_vec();
        let (group, topics) = coordinator.group(&self.config.group, now_ms);
        match &self.membership {
            // A removed member rejoins with the new topics at its next poll. That poll also reports its lost
            // partitions.
            Some(membership) => {
                group.subscribe(&membership.id, &self.topics, &|topic| topics.count(topic));
            }
            None => self.membership = Some(self.join(group, topics, now_ms)),
        }
        drop(coordinator);
        self.broker.arrivals.tell();
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<Polled, TransportError> {
        let started = Instant::now();
        loop {
            let seen = self.broker.arrivals.seen();
            // A poll with a rebalance returns no records. The caller can pause or seek before it gets the first record.
            let rebalances = self.heartbeat()?;
            let batches = if rebalances.is_empty() {
                self.holdings.fetch(&self.broker, self.config.max_poll_records)?
            } else {
                Vec::new()
            };
            let left = timeout.saturating_sub(started.elapsed());
            let woken = self.woken.swap(false, Ordering::SeqCst);
            if !rebalances.is_empty() || !batches.is_empty() || left.is_zero() || woken {
                return Ok(Polled { rebalances, batches });
            }
            if let Some(membership) = &self.membership {
                membership.heartbeat_ms.store(i64::MAX, Ordering::SeqCst);
            }
            self.broker.arrivals.wait(seen, left.min(WAIT));
        }
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.holdings.give_up(partitions);
        let now_ms = self.broker.clock.monotonic_ms();
        if let Some(membership) = &mut self.membership {
            let mut coordinator = self.broker.lock();
            let (group, _) = coordinator.group(&self.config.group, now_ms);
            group.release(&membership.id, partitions);
            membership.generation = group.member(&membership.id).map_or(membership.generation, |m| m.generation);
        }
        self.broker.arrivals.tell();
        Ok(())
    }

    fn committed(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
        let coordinator = self.broker.lock();
        let group = coordinator.groups.get(&self.config.group);
        Ok(partitions.iter().map(|partition| group?.offsets.get(partition).cloned()).collect())
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), TransportError> {
        self.holdings.seek(partition, offset)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.holdings.pause(partitions, true)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.holdings.pause(partitions, false)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError> {
        if let Some(held) = self.holdings.partition(partition) {
            return Ok(Watermarks { low: held.low(), high: held.high() });
        }
        let coordinator = self.broker.lock();
        let partition = coordinator.topics.partition(partition)?;
        Ok(Watermarks { low: partition.low(), high: partition.high() })
    }

    fn offset_at(&mut self, name: &TopicPartition, timestamp: i64) -> Result<Option<Offset>, TransportError> {
        let partition = Arc::clone(self.broker.lock().topics.partition(name)?);
        let (mut next, mut found) = (partition.low(), None);
        while found.is_none() && next < partition.high() {
            next = partition.read(&*self.broker.storage, next, SCANNED, &mut |stored| {
                if found.is_none() && stored.record.timestamp >= timestamp {
                    found = Some(stored.record.offset);
                }
            })?;
        }
        Ok(found)
    }

    fn is_caught_up(&mut self, partition: &TopicPartition) -> bool {
        self.holdings.is_caught_up(partition)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), TransportError> {
        let now_ms = self.broker.clock.monotonic_ms();
        let offsets = GroupOffsets { speaker: self.group_metadata(), offsets: offsets.to_vec() };
        let mut coordinator = self.broker.lock();
        offsets.check(&mut coordinator, now_ms)?;
        self.broker.storage.write(&offsets.changes().collect::<Vec<_>>())?;
        offsets.publish(&mut coordinator);
        Ok(())
    }

    fn waker(&self) -> Option<Waker> {
        // The waker must not keep the log alive.
        let (broker, woken) = (Arc::downgrade(&self.broker), Arc::clone(&self.woken));
        Some(Waker::new(move || {
            woken.store(true, Ordering::SeqCst);
            if let Some(broker) = broker.upgrade() {
                broker.arrivals.tell();
            }
        }))
    }

    fn group_metadata(&self) -> GroupMetadata {
        let group = self.config.group.clone();
        match &self.membership {
            Some(membership) => {
                GroupMetadata { group, member: membership.id.to_string(), generation: membership.generation }
            }
            None => GroupMetadata { group, member: String::new(), generation: -1 },
        }
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        if let Some(membership) = &self.membership {
            let now_ms = self.broker.clock.monotonic_ms();
            let mut coordinator = self.broker.lock();
            let (group, topics) = coordinator.group(&self.config.group, now_ms);
            group.leave(&membership.id, &|topic| topics.count(topic));
        }
        self.broker.arrivals.tell();
    }
}
