//! Versions over a store: every value that a key had, for as long as its history is kept.

mod expiry;
mod undo;

use std::ops::Bound;

use bytes::Bytes;

pub use undo::VersionSavepoint;

use crate::version_key::{SUFFIX_BYTES, deletion, is_deletion, local_key, time_of};
use crate::{ByteStore, Direction, Row, SealedVersions, StoreError, VersionKey};

/// The name under which the backend keeps the highest time that was written.
const OBSERVED: &str = "observed-time-ms";

/// A version of a key's value (`VersionedRecord` in Kafka Streams).
///
/// See the example of [`VersionedStore`](crate::VersionedStore).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionedRecord<V> {
    /// The value.
    pub value: V,
    /// The time from which on the key has this value, in milliseconds since the epoch.
    pub timestamp: i64,
    /// The time from which on the key has a later version; `None` for the latest version.
    pub valid_to: Option<i64>,
}

/// What became of a version that was put.
///
/// See the example of [`VersionedStore::put`](crate::VersionedStore::put).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionPut {
    /// It is the latest version of its key.
    Latest,
    /// The key already had a later version. The new version is valid until this time.
    Until(i64),
    /// It was older than the history that is kept, so it was left out.
    Expired,
}

/// A store that keeps the versions of each key (`VersionedBytesStore` in Kafka Streams, KIP-889).
///
/// The observed time is the highest time of any version. Versions that ended longer ago than the history retention are
/// invisible, and are dropped little by little. The latest version of a key never expires. A version that is put longer
/// ago than the retention is left out, so the retention is also the grace.
///
/// Each version is a row: the key, and its time in 8 bytes. A deletion is a version, too; its row's timestamp is the
/// complement of its time. Times are 0 or later.
///
/// As in [`ByteStore`], writes are uncommitted until a commit.
///
/// ```
/// use bytes::Bytes;
/// use tidemill_state::{ByteStore, ByteVersionedStore, MemoryBackend, VersionPut};
///
/// // The history is kept for an hour.
/// let mut store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 3_600_000)?;
/// store.put(b"tea", Some(Bytes::from("3.00")), 1_000)?;
/// store.put(b"tea", Some(Bytes::from("2.80")), 5_000)?;
/// assert_eq!(store.get_as_of(b"tea", 4_999)?.map(|version| version.value), Some(Bytes::from("3.00")));
/// assert_eq!(store.get(b"tea")?.map(|version| version.timestamp), Some(5_000));
/// assert_eq!(store.put(b"tea", None, 2_000)?, VersionPut::Until(5_000));
/// assert_eq!(store.get_as_of(b"tea", 4_999)?, None);
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[derive(Debug)]
pub struct ByteVersionedStore {
    store: ByteStore,
    history_retention_ms: i64,
    /// The highest time of any version; -1 before the first.
    observed_ms: i64,
    committed_ms: i64,
    /// The observed time when undo began.
    undo_ms: i64,
    /// Where the search for expired versions goes on; `None` at the beginning.
    swept: Option<Bytes>,
}

impl ByteVersionedStore {
    /// Creates a versioned store over the rows of `store`. See the example of [`ByteVersionedStore`].
    ///
    /// # Errors
    ///
    /// If the backend cannot be read.
    pub fn new(store: ByteStore, history_retention_ms: i64) -> Result<Self, StoreError> {
        let observed_ms = read_observed(&store)?;
        let (committed_ms, undo_ms) = (observed_ms, observed_ms);
        Ok(Self { store, history_retention_ms, observed_ms, committed_ms, undo_ms, swept: None })
    }

    /// The latest version of a key; `None` if the key has none, or if it is a deletion. See the example of
    /// [`ByteVersionedStore`].
    pub fn get(&self, key: &[u8]) -> Result<Option<VersionedRecord<Bytes>>, StoreError> {
        Ok(self.version_at(key, i64::MAX)?.and_then(|row| shown(row, None)))
    }

    /// The version of a key that was valid at a time. Before the kept history, only the latest version is found. See the
    /// example of [`ByteVersionedStore`].
    pub fn get_as_of(&self, key: &[u8], as_of: i64) -> Result<Option<VersionedRecord<Bytes>>, StoreError> {
        let Some(row) = self.version_at(key, as_of)? else { return Ok(None) };
        if is_deletion(&row) {
            return Ok(None);
        }
        let valid_to = self.next_after(key, time_of(&row))?.map(|row| time_of(&row));
        let is_kept = valid_to.is_none() || as_of >= self.kept_from();
        Ok(shown(row, valid_to).filter(|_| is_kept))
    }

    /// The versions of a key that were valid at some time between `from` and `to`, both inclusive, oldest first
    /// (`MultiVersionedKeyQuery` in Kafka Streams, KIP-968). Versions that ended before the kept history are left out.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteStore, ByteVersionedStore, MemoryBackend};
    /// # let mut store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// for (time, price) in [(1_000, "3.00"), (5_000, "2.80"), (9_000, "2.50")] {
    ///     store.put(b"tea", Some(Bytes::from(price)), time)?;
    /// }
    /// let times: Vec<_> = store.history(b"tea", 2_000, 6_000)?.iter().map(|version| version.timestamp).collect();
    /// assert_eq!(times, [1_000, 5_000]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn history(&self, key: &[u8], from: i64, to: i64) -> Result<Vec<VersionedRecord<Bytes>>, StoreError> {
        let first = self.version_at(key, from)?.map_or(from.max(0), |row| time_of(&row));
        let mut found = Vec::new();
        let mut open: Option<Row> = None;
        for row in self.versions(key, first, i64::MAX, Direction::Forward)? {
            let row = row?;
            let ends = time_of(&row);
            found.extend(open.take().and_then(|before| shown(before, Some(ends))));
            if ends > to {
                return Ok(self.kept(found));
            }
            open = Some(row);
        }
        found.extend(open.and_then(|last| shown(last, None)));
        Ok(self.kept(found))
    }

    fn kept(&self, mut versions: Vec<VersionedRecord<Bytes>>) -> Vec<VersionedRecord<Bytes>> {
        versions.retain(|version| version.valid_to.is_none_or(|valid_to| valid_to > self.kept_from()));
        versions
    }

    /// Puts a version of a key; `None` deletes the value from that time on. A version of the same time is replaced. See
    /// the example of [`ByteVersionedStore`].
    pub fn put(&mut self, key: &[u8], value: Option<Bytes>, timestamp: i64) -> Result<VersionPut, StoreError> {
        if timestamp < self.kept_from() {
            return Ok(VersionPut::Expired);
        }
        self.write(key, value, timestamp)
    }

    fn write(&mut self, key: &[u8], value: Option<Bytes>, timestamp: i64) -> Result<VersionPut, StoreError> {
        self.observed_ms = self.observed_ms.max(timestamp);
        let row = value.map_or_else(|| deletion(timestamp), |value| Row { timestamp, value });
        self.store.put(local_key(key, timestamp), row);
        let Some(next) = self.next_after(key, timestamp)? else { return Ok(VersionPut::Latest) };
        let valid_to = time_of(&next);
        // The changelog gets the latest version again: compaction keeps the last record of a key.
        let latest = self.version_at(key, i64::MAX)?.unwrap_or(next);
        self.store.put(local_key(key, time_of(&latest)), latest);
        Ok(VersionPut::Until(valid_to))
    }

    /// Puts a deletion in the place of a version, whatever its time. `local` is the key of the version's row.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteStore, ByteVersionedStore, MemoryBackend, VersionKey};
    /// # let mut store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 10)?;
    /// store.put(b"tea", Some(Bytes::from("3.00")), 1)?;
    /// store.put(b"tea", Some(Bytes::from("2.80")), 5)?;
    /// store.erase(&VersionKey { key: "tea".into(), timestamp: 5 }.encode());
    /// assert_eq!((store.get(b"tea")?, store.get_as_of(b"tea", 4)?.is_some()), (None, true));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn erase(&mut self, local: &Bytes) {
        if let Ok(version) = VersionKey::decode(local.clone()) {
            self.store.put(local.clone(), deletion(version.timestamp));
        }
    }

    /// Puts what a key had before a time at that time, so that a record of a changelog that has another version there is
    /// overruled. `local` is the key of a version's row that this store does not have.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteStore, ByteVersionedStore, MemoryBackend, VersionKey};
    /// # let mut store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 10)?;
    /// store.put(b"tea", Some(Bytes::from("3.00")), 1)?;
    /// store.repeat_before(&VersionKey { key: "tea".into(), timestamp: 5 }.encode())?;
    /// let version = store.get_as_of(b"tea", 7)?.expect("the price is the same");
    /// assert_eq!((version.value, version.timestamp), (Bytes::from("3.00"), 5));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn repeat_before(&mut self, local: &Bytes) -> Result<(), StoreError> {
        let version = VersionKey::decode(local.clone())
            .map_err(|source| StoreError::Codec { store: self.store.name().to_owned(), source })?;
        let VersionKey { key, timestamp } = version;
        let before = self.version_at(&key, timestamp)?.and_then(|row| VersionKey::value(&row).cloned());
        self.write(&key, before, timestamp)?;
        Ok(())
    }

    /// The lowest time at which the history is kept; 0 at first.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteStore, ByteVersionedStore, MemoryBackend};
    /// # let mut store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 10)?;
    /// assert_eq!((store.observed_ms(), store.kept_from()), (-1, 0));
    /// store.put(b"tea", Some(Bytes::from("3.00")), 25)?;
    /// assert_eq!((store.observed_ms(), store.kept_from()), (25, 15));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn kept_from(&self) -> i64 {
        self.kept_from_at(self.observed_ms)
    }

    fn kept_from_at(&self, observed_ms: i64) -> i64 {
        observed_ms.saturating_sub(self.history_retention_ms).max(0)
    }

    /// The highest time of any version; -1 before the first. See the example of [`kept_from`](Self::kept_from).
    pub fn observed_ms(&self) -> i64 {
        self.observed_ms
    }

    /// Its rows. Their keys are those of versions.
    pub fn store(&self) -> &ByteStore {
        &self.store
    }

    /// Its rows. A row that is written here must be a version.
    pub fn store_mut(&mut self) -> &mut ByteStore {
        &mut self.store
    }

    /// As [`ByteStore::seal`]. See the example of [`SealedVersions`].
    pub fn seal(&mut self) -> SealedVersions {
        SealedVersions { rows: self.store.seal(), observed_ms: self.observed_ms }
    }

    /// As [`ByteStore::commit_sealed`]. Also drops some expired versions. See the example of [`SealedVersions`].
    pub fn commit_sealed(&mut self, sealed: SealedVersions, checkpoint: Option<i64>) -> Result<(), StoreError> {
        let SealedVersions { rows, observed_ms } = sealed;
        if !self.store.holds(&rows) {
            return Ok(());
        }
        let written = rows.changes();
        let meta = if written > 0 { vec![observed_note(observed_ms)] } else { Vec::new() };
        self.store.commit_sealed_with(rows, checkpoint, meta)?;
        self.committed_ms = observed_ms;
        self.sweep(written, true)
    }

    /// As [`ByteStore::commit`].
    pub fn commit(&mut self, checkpoint: Option<i64>) -> Result<(), StoreError> {
        let sealed = self.seal();
        self.commit_sealed(sealed, checkpoint)
    }

    /// As [`ByteStore::rollback`]. The observed time returns to that of the last commit.
    pub fn rollback(&mut self) {
        self.store.rollback();
        (self.observed_ms, self.undo_ms) = (self.committed_ms, self.committed_ms);
    }

    /// As [`ByteStore::restore`], for rows of versions. Also drops some expired versions.
    pub fn restore(&mut self, rows: Vec<(Bytes, Option<Row>)>, next_offset: i64) -> Result<(), StoreError> {
        let written = rows.len();
        let latest_ms = rows.iter().filter_map(|(_, row)| row.as_ref().map(time_of)).max();
        self.committed_ms = self.committed_ms.max(latest_ms.unwrap_or(-1));
        self.observed_ms = self.observed_ms.max(self.committed_ms);
        self.store.restore(rows, vec![observed_note(self.committed_ms)], next_offset)?;
        // Records of one commit are in the order of their keys, so an older version than a deletion may still come.
        self.sweep(written, false)
    }

    /// As [`ByteStore::clear`].
    pub fn clear(&mut self) -> Result<(), StoreError> {
        (self.observed_ms, self.committed_ms, self.undo_ms) = (-1, -1, -1);
        self.swept = None;
        self.store.clear()
    }

    /// The version of a key that was valid at a time, also if it is a deletion.
    fn version_at(&self, key: &[u8], as_of: i64) -> Result<Option<Row>, StoreError> {
        self.versions(key, 0, as_of, Direction::Reverse)?.next().transpose()
    }

    /// The first version of a key after a time.
    fn next_after(&self, key: &[u8], timestamp: i64) -> Result<Option<Row>, StoreError> {
        self.versions(key, timestamp.saturating_add(1), i64::MAX, Direction::Forward)?.next().transpose()
    }

    /// The versions of a key that begin between two times, both inclusive.
    fn versions(
        &self,
        key: &[u8],
        from: i64,
        to: i64,
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<Row, StoreError>> + use<'_>, StoreError> {
        // No version begins later than the observed time. A higher bound would also reach keys that begin with this one.
        let (from, to) = (from.max(0), to.min(self.observed_ms));
        let empty = from > to;
        let (low, high) = (local_key(key, from), local_key(key, if empty { from } else { to }));
        let high = if empty { Bound::Excluded(&high[..]) } else { Bound::Included(&high[..]) };
        let length = key.len() + SUFFIX_BYTES;
        let rows = self.store.scan(Bound::Included(&low), high, direction)?;
        Ok(rows.filter_map(move |row| match row {
            Ok((local, row)) => (local.len() == length).then_some(Ok(row)),
            Err(error) => Some(Err(error)),
        }))
    }
}

/// A version as it is shown; `None` if it is a deletion.
fn shown(row: Row, valid_to: Option<i64>) -> Option<VersionedRecord<Bytes>> {
    (!is_deletion(&row)).then_some(VersionedRecord { value: row.value, timestamp: row.timestamp, valid_to })
}

fn observed_note(observed_ms: i64) -> (String, Bytes) {
    (OBSERVED.to_owned(), Bytes::copy_from_slice(&observed_ms.to_be_bytes()))
}

fn read_observed(store: &ByteStore) -> Result<i64, StoreError> {
    let raw = store.meta(OBSERVED)?;
    Ok(raw.and_then(|raw| Some(i64::from_be_bytes(raw.as_ref().try_into().ok()?))).unwrap_or(-1))
}
