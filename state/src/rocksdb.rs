//! A backend on disk. Only this file and its folder use the crate rocksdb.
//!
//! Two column families, `data` and `meta`, are flushed together. A store with a changelog has no write-ahead log. After
//! a crash it opens at the last flush, where rows and checkpoint agree. The changelog then restores the later rows.

mod errors;
mod options;
mod scan;

use std::fmt;
use std::ops::Bound;
use std::path::Path;

use bytes::{Buf, Bytes};
use rocksdb::{ColumnFamily, DB, DBPinnableSlice, FlushOptions, WriteBatch, WriteOptions};

use crate::backend::is_empty_range;
use crate::{Backend, Batch, Direction, Row, Rows, StoreError};
use errors::StoreLocation;
pub use options::{RocksDbOptions, RocksDbShared};

const DATA: &str = "data";
const META: &str = "meta";
const CHECKPOINT_KEY: &[u8] = b"checkpoint";

/// Sorted rows in a folder of their own.
pub struct RocksDbBackend {
    db: DB,
    location: StoreLocation,
    has_wal: bool,
    write_options: WriteOptions,
    /// No row has a lower key. Expiry then deletes only newly expired rows, and scans skip tombstones.
    low: Bytes,
    /// A buffer that joins a row's timestamp and value.
    scratch: Vec<u8>,
}

impl RocksDbBackend {
    /// Opens the store in `path`, or creates it if the folder has none. Needs the feature `rocksdb`.
    ///
    /// Set `wal` for stores without a changelog: their commits then survive the end of the process.
    ///
    /// ```no_run
    /// use tidemill_state::{RocksDbBackend, RocksDbOptions, RocksDbShared, ByteStore};
    ///
    /// let shared = RocksDbShared::new(64 << 20); // 64 MiB for all stores together.
    /// let path = std::path::Path::new("data/state/shop/0_0/counts");
    /// let backend = RocksDbBackend::open(path, &RocksDbOptions::default(), &shared, false)?;
    /// let store = ByteStore::new("counts", Box::new(backend));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn open(path: &Path, options: &RocksDbOptions, shared: &RocksDbShared, wal: bool) -> Result<Self, StoreError> {
        let location = StoreLocation::new(path);
        location.check_folder()?;
        let families = [options.data_family(shared), options.meta_family(shared)];
        let db = DB::open_cf_descriptors(&options.database(shared), path, families);
        let db = db.map_err(|error| location.error(error))?;
        let mut write_options = WriteOptions::default();
        write_options.disable_wal(!wal);
        Ok(Self { db, location, has_wal: wal, write_options, low: Bytes::new(), scratch: Vec::new() })
    }

    fn data(&self) -> &ColumnFamily {
        self.db.cf_handle(DATA).expect("opened with both column families")
    }

    fn meta_family(&self) -> &ColumnFamily {
        self.db.cf_handle(META).expect("opened with both column families")
    }

    fn read(&self, family: &ColumnFamily, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        self.db.get_pinned_cf(family, key).map_err(|error| self.location.error(error))
    }

    fn submit(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.db.write_opt(batch, &self.write_options).map_err(|error| self.location.error(error))
    }

    /// Flushes both column families at the same point, with or without a wait. The database flushes them atomically.
    fn flush_memtables(&self, wait: bool) -> Result<(), StoreError> {
        let families = [self.data(), self.meta_family()];
        let mut options = FlushOptions::default();
        options.set_wait(wait);
        self.db.flush_cfs_opt(&families, &options).map_err(|error| self.location.error(error))
    }

    fn property(&self, family: &ColumnFamily, name: &str) -> u64 {
        // An unreadable metric counts as 0; it is not an error.
        self.db.property_int_value_cf(family, name).ok().flatten().unwrap_or(0)
    }
}

impl Backend for RocksDbBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        if key < self.low.as_ref() {
            return Ok(None);
        }
        let value = self.read(self.data(), key)?;
        value.map(|value| self.location.row(&value)).transpose()
    }

    fn scan(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Result<Rows<'_>, StoreError> {
        let from = match from {
            Bound::Included(key) | Bound::Excluded(key) if key >= self.low.as_ref() => from,
            _ => Bound::Included(self.low.as_ref()),
        };
        if is_empty_range(from, to) {
            return Ok(Box::new(std::iter::empty()));
        }
        let cursor = self.db.raw_iterator_cf_opt(self.data(), scan::read_options(from, to));
        Ok(Box::new(scan::Scan::new(cursor, direction, &self.location)))
    }

    fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
        let row_bytes = |(key, row): &(Bytes, Option<Row>)| key.len() + row.as_ref().map_or(0, |row| row.value.len());
        let capacity = batch.rows.iter().map(|entry| row_bytes(entry) + 24).sum::<usize>() + 128;
        let mut out = WriteBatch::with_capacity_bytes(capacity);
        let mut scratch = std::mem::take(&mut self.scratch);
        let (data, meta) = (self.data(), self.meta_family());
        let mut low = self.low.clone();

        if let Some(key) = batch.delete_below.filter(|key| *key > low) {
            out.delete_range_cf(data, &low, &key);
            low = key;
        }
        for (key, row) in batch.rows {
            match row {
                Some(row) => {
                    scratch.clear();
                    scratch.extend_from_slice(&row.timestamp.to_be_bytes());
                    scratch.extend_from_slice(&row.value);
                    out.put_cf(data, &key, &scratch);
                    low = low.min(key);
                }
                None => out.delete_cf(data, &key),
            }
        }
        for (key, value) in batch.meta {
            out.put_cf(meta, meta_key(&key), value);
        }
        if let Some(offset) = batch.checkpoint {
            out.put_cf(meta, CHECKPOINT_KEY, offset.to_be_bytes());
        }
        self.submit(out)?;
        self.low = low;
        self.scratch = scratch;
        Ok(())
    }

    fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let value = self.read(self.meta_family(), &meta_key(key))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn checkpoint(&self) -> Result<Option<i64>, StoreError> {
        let Some(value) = self.read(self.meta_family(), CHECKPOINT_KEY)? else {
            return Ok(None);
        };
        let offset = value.as_ref().try_get_i64().map_err(|error| self.location.corrupted(error))?;
        Ok(Some(offset))
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.has_wal {
            return self.db.flush_wal(true).map_err(|error| self.location.error(error));
        }
        self.flush_memtables(true)
    }

    fn begin_flush(&mut self) -> Result<(), StoreError> {
        // With a write-ahead log, every write survives the end of the process.
        if self.has_wal { Ok(()) } else { self.flush_memtables(false) }
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        let mut out = WriteBatch::default();
        for family in [self.data(), self.meta_family()] {
            let mut last = self.db.raw_iterator_cf(family);
            last.seek_to_last();
            if let Some(key) = last.key() {
                out.delete_range_cf(family, &b""[..], &scan::successor(key));
            }
            last.status().map_err(|error| self.location.error(error))?;
        }
        self.submit(out)?;
        // A crash during the rebuild must not bring the old rows back.
        self.flush_memtables(true)?;
        self.low = Bytes::new();
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        let names = ["rocksdb.cur-size-all-mem-tables", "rocksdb.total-sst-files-size"];
        [self.data(), self.meta_family()].iter().flat_map(|family| names.map(|name| self.property(family, name))).sum()
    }

    fn approximate_len(&self) -> Result<u64, StoreError> {
        Ok(self.property(self.data(), "rocksdb.estimate-num-keys"))
    }
}

impl fmt::Debug for RocksDbBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksDbBackend")
            .field("location", &self.location)
            .field("has_wal", &self.has_wal)
            .finish_non_exhaustive()
    }
}

/// The prefix keeps names distinct from the checkpoint's key.
fn meta_key(key: &str) -> Vec<u8> {
    [b"m:", key.as_bytes()].concat()
}
