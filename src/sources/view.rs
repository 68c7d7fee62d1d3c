//! All sources with their progress, as the topics have them. Every instance has all of them, so that any can list them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tidemill::{
    partition_for,
    transport::{ConsumedRecord, Offset, Reader, TopicPartition, Transport, TransportError},
};
use tokio::sync::watch;

use super::{LiveSource, POSITIONS, Progress, SOURCES};

/// How long one read waits. Closing takes as long at most.
const WAIT: Duration = Duration::from_millis(200);
/// How long to wait before reading again after an error.
const PAUSE: Duration = Duration::from_secs(1);

/// What the topics say about the sources. A thread follows the topics.
#[derive(Debug)]
pub struct View {
    partitions: [i32; 2],
    table: Mutex<Table>,
    moved: Condvar,
    /// Counts changes of sources and of progress.
    changes: watch::Sender<u64>,
    /// Counts changes of sources.
    of_sources: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Table {
    sources: BTreeMap<String, LiveSource>,
    progress: BTreeMap<String, Progress>,
    /// Sources that were erased, with the times of it, until somebody takes them.
    erased: BTreeMap<String, i64>,
    /// The next offsets to read.
    read: HashMap<TopicPartition, Offset>,
    /// Whether everything that was there at the start is read.
    is_ready: bool,
    is_closed: bool,
}

/// A source, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The source.
    pub source: LiveSource,
    /// Its progress, unless no owner has taken it yet.
    pub progress: Option<Progress>,
}

impl View {
    /// An empty view of topics with these numbers of partitions: of sources, and of positions.
    pub(super) fn new(partitions: [i32; 2]) -> Self {
        let (changes, of_sources) = (watch::Sender::new(0), watch::Sender::new(0));
        Self { partitions, table: Mutex::default(), moved: Condvar::new(), changes, of_sources }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A source by its stream's id.
    pub fn get(&self, id: &str) -> Option<Seen> {
        let table = self.table();
        let source = table.sources.get(id)?.clone();
        Some(Seen { source, progress: table.progress.get(id).cloned() })
    }

    /// The streams whose sources were erased, each with the time of it in epoch milliseconds, also before this view
    /// began as far as the log still tells. Each is returned once.
    pub fn take_erased(&self) -> BTreeMap<String, i64> {
        std::mem::take(&mut self.table().erased)
    }

    /// All sources, by their streams' ids.
    pub fn all(&self) -> BTreeMap<String, Seen> {
        let table = self.table();
        let seen = |(id, source): (&String, &LiveSource)| {
            (id.clone(), Seen { source: source.clone(), progress: table.progress.get(id).cloned() })
        };
        table.sources.iter().map(seen).collect()
    }

    /// Waits until something holds, for so long at most. Returns whether it holds.
    pub async fn until(&self, patience: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let mut changes = self.changes.subscribe();
        let wait = async {
            while !holds(self) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(patience, wait).await.is_ok()
    }

    /// Whether an owner still works on a source, or has not confirmed yet that it does not.
    pub fn has_progress(&self, id: &str) -> bool {
        self.table().progress.contains_key(id)
    }

    /// Tells of changes of sources and of progress.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Tells of changes of sources.
    pub(super) fn changes_of_sources(&self) -> watch::Receiver<u64> {
        self.of_sources.subscribe()
    }

    fn tell(&self, of_sources: bool) {
        self.changes.send_modify(|count| *count += 1);
        if of_sources {
            self.of_sources.send_modify(|count| *count += 1);
        }
    }

    /// Whether everything that was there at the start is read.
    pub fn is_ready(&self) -> bool {
        self.table().is_ready
    }

    /// The sources of a partition.
    pub(super) fn sources_of(&self, partition: i32) -> BTreeMap<String, LiveSource> {
        let is_here = |id: &str| partition_for(Some(id.as_bytes()), self.partitions[0]) == partition;
        let table = self.table();
        let here = table.sources.iter().filter(|(id, _)| is_here(id));
        here.map(|(id, source)| (id.clone(), source.clone())).collect()
    }

    /// The progress of the sources of a partition.
    pub(super) fn progress_of(&self, partition: i32) -> BTreeMap<String, Progress> {
        let is_here = |id: &str| partition_for(Some(id.as_bytes()), self.partitions[0]) == partition;
        let table = self.table();
        let here = table.progress.iter().filter(|(id, _)| is_here(id));
        here.map(|(id, progress)| (id.clone(), progress.clone())).collect()
    }

    /// The partitions of positions.
    pub(super) fn position_partitions(&self) -> impl Iterator<Item = TopicPartition> + use<> {
        (0..self.partitions[1]).map(|partition| TopicPartition::new(POSITIONS, partition))
    }

    /// Waits until everything before these offsets is read. Blocks. Returns false when the view closes.
    pub(super) fn wait_for(&self, ends: &[(TopicPartition, Offset)]) -> bool {
        let is_behind = |table: &mut Table| {
            !table.is_closed && ends.iter().any(|(partition, end)| table.read.get(partition).is_none_or(|at| at < end))
        };
        let table = self.moved.wait_while(self.table(), is_behind).unwrap_or_else(PoisonError::into_inner);
        !table.is_closed
    }

    pub(super) fn close(&self) {
        self.table().is_closed = true;
        self.moved.notify_all();
        self.tell(true);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.table().is_closed
    }

    /// Follows the topics until the view closes. Blocks.
    pub(super) fn follow(&self, transport: &dyn Transport) {
        while !self.is_closed() {
            if let Err(error) = self.read(transport) {
                tracing::warn!(%error, "the sources cannot be read, trying again");
                std::thread::park_timeout(PAUSE);
            }
        }
    }

    fn read(&self, transport: &dyn Transport) -> Result<(), TransportError> {
        let mut reader = transport.reader()?;
        let topics = [SOURCES, POSITIONS].into_iter().zip(self.partitions);
        let all: Vec<_> = topics
            .flat_map(|(topic, count)| (0..count).map(move |number| TopicPartition::new(topic, number)))
            .collect();
        let (mut from, mut ends) = (Vec::new(), Vec::new());
        for partition in &all {
            let bounds = reader.watermarks(partition)?;
            let at = self.table().read.get(partition).copied().unwrap_or(0);
            from.push((partition.clone(), at.clamp(bounds.low, bounds.high)));
            ends.push((partition.clone(), bounds.high));
        }
        reader.assign(&from)?;
        while !self.is_closed() {
            let batches = reader.read(WAIT, 1_000)?;
            let (mut has_changed, mut of_sources) = (false, false);
            for batch in batches {
                for record in batch.records {
                    let changed = self.table().take(&batch.partition.topic, record);
                    has_changed |= changed;
                    of_sources |= changed && *batch.partition.topic == *SOURCES;
                }
            }
            self.note(&mut *reader, &all, &ends)?;
            if has_changed {
                self.tell(of_sources);
            }
        }
        Ok(())
    }

    /// Notes how far the topics are read.
    fn note(
        &self,
        reader: &mut dyn Reader,
        all: &[TopicPartition],
        ends: &[(TopicPartition, Offset)],
    ) -> Result<(), TransportError> {
        let mut at = Vec::with_capacity(all.len());
        for partition in all {
            at.push((partition.clone(), reader.position(partition)?));
        }
        let mut table = self.table();
        table.read.extend(at);
        if !table.is_ready && ends.iter().all(|(partition, end)| table.read.get(partition).is_some_and(|at| at >= end))
        {
            table.is_ready = true;
            self.tell(true);
        }
        drop(table);
        self.moved.notify_all();
        Ok(())
    }
}

impl Table {
    /// Takes a record in. Returns whether it changed something.
    fn take(&mut self, topic: &str, record: ConsumedRecord) -> bool {
        let Some(id) = record.key.and_then(|key| String::from_utf8(key.to_vec()).ok()) else { return false };
        if topic == SOURCES {
            if record.value.is_none() {
                self.erased.insert(id.clone(), record.timestamp);
            }
            keep(&mut self.sources, id, record.value)
        } else {
            keep(&mut self.progress, id, record.value)
        }
    }
}

fn keep<T: DeserializeOwned + PartialEq>(kept: &mut BTreeMap<String, T>, id: String, value: Option<Bytes>) -> bool {
    match value.map(|value| serde_json::from_slice::<T>(&value)) {
        None => kept.remove(&id).is_some(),
        Some(Ok(value)) => {
            let is_new = kept.get(&id) != Some(&value);
            kept.insert(id, value);
            is_new
        }
        Some(Err(error)) => {
            tracing::warn!(stream = %id, %error, "a record of a source cannot be read, skipped");
            false
        }
    }
}
