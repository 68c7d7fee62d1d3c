//! The state that all clients of a log share: the coordinator, the storage, and the way to append records.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering},
    },
};

use super::{arrivals::Arrivals, compaction::Upkeep, partition::Partition, topics::Topics};
use crate::transport::embedded::{
    group::Group,
    storage::{Change, LogStorage, Restored, Stored},
};
use crate::{
    clock::Clock,
    transport::{Offset, TransportError},
};

/// The smallest and the largest in-memory tail of a partition, in bytes, for a log on disk.
const TAIL_BYTES: (usize, usize) = (64 * 1024, 4 * 1024 * 1024);

/// The log itself. Locks must be taken in this order: the coordinator, then partitions by id.
pub(in crate::transport::embedded) struct Broker {
    pub(in crate::transport::embedded) clock: Arc<dyn Clock>,
    pub(in crate::transport::embedded) storage: Box<dyn LogStorage>,
    pub(in crate::transport::embedded) arrivals: Arrivals,
    pub(in crate::transport::embedded) upkeep: Upkeep,
    /// The number of records that were deleted before a consumer read them.
    pub(in crate::transport::embedded) records_skipped: AtomicU64,
    /// The most bytes of a record's key, value and headers.
    pub(in crate::transport::embedded) record_bytes_max: Option<usize>,
    coordinator: Mutex<Coordinator>,
    tail_limit: AtomicUsize,
}

/// The state with a single lock: topics, groups, and the epochs of transactional ids.
pub(in crate::transport::embedded) struct Coordinator {
    pub(in crate::transport::embedded) topics: Topics,
    pub(in crate::transport::embedded) groups: BTreeMap<String, Group>,
    pub(in crate::transport::embedded) epochs: BTreeMap<String, Arc<AtomicI32>>,
}

/// Records to append to one partition.
pub(in crate::transport::embedded) struct Batch {
    pub(in crate::transport::embedded) partition: Arc<Partition>,
    pub(in crate::transport::embedded) records: Vec<Stored>,
    /// The offset after the last appended record, until it is asked for.
    pub(in crate::transport::embedded) acknowledged: Option<Offset>,
}

impl Broker {
    pub(in crate::transport::embedded) fn new(
        clock: Arc<dyn Clock>,
        storage: Box<dyn LogStorage>,
        restored: Restored,
        record_bytes_max: Option<usize>,
    ) -> Self {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for (group, partition, offset) in restored.offsets {
            groups.entry(group).or_default().offsets.insert(partition, offset);
        }
        let epochs = restored.epochs.into_iter().map(|(id, epoch)| (id, Arc::new(AtomicI32::new(epoch)))).collect();
        let topics = Topics::restore(restored.topics, restored.next_topic_id);
        let broker = Self {
            upkeep: Upkeep::new(clock.monotonic_ms()),
            clock,
            storage,
            arrivals: Arrivals::default(),
            records_skipped: AtomicU64::new(0),
            record_bytes_max,
            coordinator: Mutex::new(Coordinator { topics, groups, epochs }),
            tail_limit: AtomicUsize::new(usize::MAX),
        };
        broker.share_tails(&broker.lock().topics);
        broker
    }

    pub(in crate::transport::embedded) fn lock(&self) -> MutexGuard<'_, Coordinator> {
        self.coordinator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Divides the memory for tails among all partitions.
    pub(in crate::transport::embedded) fn share_tails(&self, topics: &Topics) {
        if let Some(bytes) = self.storage.tail_bytes() {
            let partitions: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
            let each = (bytes / partitions.max(1)).clamp(TAIL_BYTES.0, TAIL_BYTES.1);
            self.tail_limit.store(each, Ordering::Relaxed);
        }
    }

    /// Appends batches and makes other changes, atomically. The batches are empty afterwards. After an error they are
    /// unchanged.
    pub(in crate::transport::embedded) fn append(
        &self,
        batches: &mut [Batch],
        others: Vec<Change<'_>>,
    ) -> Result<(), TransportError> {
        let mut batches: Vec<_> = batches.iter_mut().filter(|batch| !batch.records.is_empty()).collect();
        batches.sort_unstable_by_key(|batch| batch.partition.id);
        let mut deliveries = Vec::with_capacity(batches.len());
        let now_ms = self.clock.now_ms();
        for batch in batches {
            let Batch { partition, records, acknowledged } = batch;
            let tail = partition.lock();
            if partition.is_deleted() {
                return Err(TransportError::UnknownTopic(partition.name.topic.to_string()));
            }
            for (stored, offset) in records.iter_mut().zip(partition.high()..) {
                stored.record.offset = offset;
                stored.appended_at_ms = now_ms;
            }
            deliveries.push((&**partition, tail, records, acknowledged));
        }
        let mut changes = others;
        for (partition, _, records, _) in &deliveries {
            changes.push(Change::Append { partition: partition.id, records });
        }
        self.storage.write(&changes)?;
        drop(changes);
        let limit = self.storage.tail_bytes().map(|_| self.tail_limit.load(Ordering::Relaxed));
        for (partition, tail, records, acknowledged) in &mut deliveries {
            self.upkeep.count(records.len());
            partition.publish(tail, records, limit);
            **acknowledged = Some(partition.high());
        }
        drop(deliveries);
        self.arrivals.tell();
        Ok(())
    }
}

impl Coordinator {
    /// The group, after its expired members were removed. Creates the group if it does not exist.
    pub(in crate::transport::embedded) fn group(&mut self, name: &str, now_ms: i64) -> (&mut Group, &Topics) {
        if !self.groups.contains_key(name) {
            self.groups.insert(name.to_owned(), Group::default());
        }
        let group = self.groups.get_mut(name).expect("the group was just inserted");
        let topics = &self.topics;
        for member in group.expire(now_ms, &|topic| topics.count(topic)) {
            tracing::warn!(group = name, member = &*member, "a member was removed, because it did not poll in time");
        }
        (group, topics)
    }
}
