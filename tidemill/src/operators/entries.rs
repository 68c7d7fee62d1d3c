//! Aggregates as Rust values between commits. An aggregate is encoded once for each commit, however often it changes.

use indexmap::IndexMap;
use tidemill_state::{Codec, Row};

use super::{Failure, Outcome, TaskContext};

/// How many aggregates of an operator stay cached after a commit. The others are read from the store again.
const CACHED_MAX: usize = 100_000;

/// The memory that an entry needs besides its key and value, in bytes.
const OVERHEAD_BYTES: usize = 96;

/// A key's aggregate. It is `None` if it is null or was taken.
pub(crate) struct CachedAggregate<K, A> {
    pub(crate) key: K,
    pub(crate) aggregate: Option<A>,
    pub(crate) timestamp: i64,
    dirty: bool,
    updates: u32,
    bytes: usize,
}

/// Entries by the encoded key.
pub(crate) struct Entries<K, A> {
    map: IndexMap<Box<[u8]>, CachedAggregate<K, A>, hashbrown::DefaultHashBuilder>,
    dirty: Vec<usize>,
    /// The number of entries that were not taken.
    live: usize,
}

/// The size of all entries of one operator.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    entries: usize,
    bytes: usize,
    /// The part of `bytes` that the next commit writes to the store.
    dirty_bytes: usize,
    /// The average length of recently written aggregates.
    written_bytes: usize,
}

impl<K, A> Default for Entries<K, A> {
    fn default() -> Self {
        Self { map: IndexMap::default(), dirty: Vec::new(), live: 0 }
    }
}

impl<K, A: 'static> Entries<K, A> {
    /// The index of a key's entry. If there is no entry, `load` provides it.
    #[inline]
    pub(crate) fn find(
        &mut self,
        key: &[u8],
        weight: &mut Weight,
        load: impl FnOnce() -> Result<(K, Option<A>, i64), Box<Failure>>,
    ) -> Result<usize, Box<Failure>> {
        let known = self.map.get_index_of(key);
        // An entry that was taken keeps only its place.
        if let Some(index) = known.filter(|index| self.map[*index].bytes > 0) {
            return Ok(index);
        }
        let (value, aggregate, timestamp) = load()?;
        let bytes = key.len() + OVERHEAD_BYTES;
        let entry = CachedAggregate { key: value, aggregate, timestamp, dirty: false, updates: 0, bytes };
        (weight.entries, weight.bytes, self.live) = (weight.entries + 1, weight.bytes + bytes, self.live + 1);
        Ok(match known {
            Some(index) => {
                self.map[index] = entry;
                index
            }
            None => self.map.insert_full(key.into(), entry).0,
        })
    }

    #[inline]
    pub(crate) fn entry(&mut self, index: usize) -> &mut CachedAggregate<K, A> {
        &mut self.map[index]
    }

    /// Changes an aggregate by a record with this timestamp. Returns what `change` returns, and the aggregate's
    /// timestamp.
    #[inline]
    pub(crate) fn update<T>(
        &mut self,
        ctx: &mut TaskContext,
        index: usize,
        timestamp: i64,
        codec: &dyn Codec<A>,
        weight: &mut Weight,
        change: impl FnOnce(&mut Option<A>) -> T,
    ) -> (T, i64) {
        let entry = self.entry(index);
        if entry.aggregate.is_none() {
            entry.timestamp = timestamp;
        }
        let changed = change(&mut entry.aggregate);
        entry.timestamp = entry.timestamp.max(timestamp);
        self.changed(ctx, index, codec, weight);
        let entry = self.entry(index);
        // A null aggregate has no row in the store and no cached value: the next record starts a new aggregate.
        if entry.aggregate.as_ref().is_some_and(|aggregate| codec.is_null(aggregate)) {
            entry.aggregate = None;
        }
        (changed, entry.timestamp)
    }

    /// Notes that an aggregate changed. Its size is estimated again whenever its number of changes has doubled.
    #[inline]
    fn changed(&mut self, ctx: &mut TaskContext, index: usize, codec: &dyn Codec<A>, weight: &mut Weight) {
        let (key, entry) = self.map.get_index_mut(index).expect("the index was found");
        let was_dirty = std::mem::replace(&mut entry.dirty, true);
        if !was_dirty {
            self.dirty.push(index);
        }
        let before = if was_dirty { entry.bytes } else { 0 };
        entry.updates = entry.updates.wrapping_add(1);
        if entry.updates.is_power_of_two()
            && let Some(aggregate) = &entry.aggregate
        {
            let bytes = key.len() + OVERHEAD_BYTES + weight.of(codec, aggregate);
            weight.bytes = weight.bytes + bytes - entry.bytes;
            entry.bytes = bytes;
        }
        if before != entry.bytes {
            weight.dirty_bytes = weight.dirty_bytes + entry.bytes - before;
            ctx.cached_bytes = ctx.cached_bytes + entry.bytes - before;
        }
    }

    /// Writes the changed aggregates. After an error, the aggregates that were not written are still marked as changed.
    pub(crate) fn spill(
        &mut self,
        ctx: &mut TaskContext,
        codec: &dyn Codec<A>,
        weight: &mut Weight,
        mut write: impl FnMut(&[u8], Option<Row>),
    ) -> Outcome {
        while let Some(index) = self.dirty.last() {
            let (key, entry) = self.map.get_index_mut(*index).expect("dirty indices name entries");
            if entry.dirty {
                let value = match &entry.aggregate {
                    Some(aggregate) => codec.encode(aggregate)?,
                    None => None,
                };
                weight.learn(value.as_ref().map_or(0, bytes::Bytes::len));
                write(key, value.map(|value| Row { timestamp: entry.timestamp, value }));
                entry.dirty = false;
                weight.clean(ctx, entry.bytes);
            }
            self.dirty.pop();
        }
        // No index is in use here, so the places of taken entries can be removed.
        if self.live * 2 < self.map.len() {
            self.map.retain(|_, entry| entry.bytes > 0);
        }
        Ok(())
    }

    /// Takes a key's aggregate for good. Its place stays in the map, empty.
    pub(crate) fn take(&mut self, ctx: &mut TaskContext, key: &[u8], weight: &mut Weight) -> Option<(Option<A>, i64)> {
        let entry = self.map.get_mut(key).filter(|entry| entry.bytes > 0)?;
        let bytes = std::mem::take(&mut entry.bytes);
        if std::mem::take(&mut entry.dirty) {
            weight.clean(ctx, bytes);
        }
        (weight.entries, weight.bytes, self.live) = (weight.entries - 1, weight.bytes - bytes, self.live - 1);
        Some((entry.aggregate.take(), entry.timestamp))
    }

    /// Whether every entry was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.live == 0
    }

    /// Forgets all entries, written or not.
    pub(crate) fn clear(&mut self, ctx: &mut TaskContext, weight: &mut Weight) {
        for entry in self.map.values().filter(|entry| entry.dirty) {
            weight.clean(ctx, entry.bytes);
        }
        weight.bytes -= self.map.values().map(|entry| entry.bytes).sum::<usize>();
        weight.entries -= self.live;
        self.map.clear();
        self.dirty.clear();
        self.live = 0;
    }

    /// The indices of keys after `after`, in descending order of keys.
    pub(crate) fn in_reverse(&self, after: Option<&[u8]>) -> Vec<usize> {
        let later = |index: &usize| after.is_none_or(|after| self.key(*index) > after);
        let mut order: Vec<_> = (0..self.map.len()).filter(later).collect();
        order.sort_unstable_by(|one, other| self.key(*other).cmp(self.key(*one)));
        order
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        self.map.get_index(index).map_or(&[], |(key, _)| key)
    }
}

impl Weight {
    /// The approximate size of an aggregate in bytes. If the codec gives no hint, recently written aggregates are the
    /// guide.
    fn of<A: 'static>(&self, codec: &dyn Codec<A>, aggregate: &A) -> usize {
        match codec.size_hint(aggregate) {
            0 => self.written_bytes.max(size_of::<A>()),
            hint => hint,
        }
    }

    fn learn(&mut self, written_bytes: usize) {
        self.written_bytes = (7 * self.written_bytes + written_bytes) / 8;
    }

    fn clean(&mut self, ctx: &mut TaskContext, bytes: usize) {
        self.dirty_bytes -= bytes;
        ctx.cached_bytes -= bytes;
    }

    /// Whether the entries are too large to stay cached after a commit.
    pub(crate) fn is_too_much(&self, ctx: &TaskContext) -> bool {
        self.entries > CACHED_MAX || self.bytes > ctx.cache_max_bytes
    }
}
