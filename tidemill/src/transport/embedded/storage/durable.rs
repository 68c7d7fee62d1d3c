//! A log on `RocksDB`. Every change is one write batch, which goes to `RocksDB`'s write-ahead log first.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rocksdb::{
    BlockBasedOptions, BottommostLevelCompaction, Cache, ColumnFamily, CompactOptions, DB, DBCompactionStyle,
    DBCompressionType, DBRawIterator, Env, ErrorKind, FlushOptions, Options, ReadOptions, UniversalCompactOptions,
    UniversalCompactionStopStyle, WriteBatch, WriteOptions,
};
use thiserror::Error;

use super::{
    format::{self, FormatError, Meta},
    {Bounds, Change, LogStorage, PartitionId, Restored, RestoredTopic, Stored},
};
use crate::transport::{Offset, TransportError};

const RECORDS: &str = "records";
const LOCK: &str = "tidemill.lock";

/// How often a lock is tried again, ten milliseconds apart.
const STARTING: usize = 20;

const MIB: u64 = 1024 * 1024;
/// The number of unmerged record files before a merge begins.
const UNMERGED: i32 = 32;
/// Files older than this are merged, so that dropped records do not stay in them. The database looks for such files
/// about twice a day.
const MERGED_AFTER_S: u64 = 12 * 60 * 60;

/// Options of a log on disk.
#[derive(Debug, Clone)]
pub(in crate::transport::embedded) struct DurableOptions {
    pub(in crate::transport::embedded) sync: bool,
    pub(in crate::transport::embedded) memory_bytes: usize,
}

/// A folder with a log.
pub(in crate::transport::embedded) struct DurableStorage {
    db: DB,
    path: PathBuf,
    options: DurableOptions,
    /// Released after the database is closed, because fields drop in order.
    _lock: LogLock,
}

/// A failed operation on the storage, with its folder and a hint.
#[derive(Debug, Error)]
#[error("cannot {doing} the log in '{}': {source}; {hint}", path.display())]
struct DurableError {
    doing: &'static str,
    path: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
    hint: &'static str,
}

const CHECK_DISK: &str = "check that the folder is writable and the disk not full";
const DAMAGED: &str = "its files are damaged or not those of a log: restore the folder, or begin with an empty one";

/// Data on disk that cannot be decoded.
#[derive(Debug, Error)]
#[error("the log in '{}' is damaged at {place}: {source}; restore the folder or begin with an empty one", path.display())]
struct DamagedError {
    path: PathBuf,
    place: String,
    source: FormatError,
}

fn database() -> Result<Options, rocksdb::Error> {
    // Reserving disk space ahead would take about a hundred megabytes for an empty log.
    let mut options = Options::default().get_options_from_string("allow_fallocate=false")?;
    // Merging may wait until files pile up, so its threads have a low priority for the processor.
    let mut env = Env::new()?;
    env.lower_thread_pool_cpu_priority();
    options.set_env(&env);
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // The column family with the offsets is rarely flushed. Without this limit it would keep all write-ahead logs.
    options.set_max_total_wal_size(256 * MIB);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    Ok(options)
}

/// Blocks of files are cached within the log's memory: without a cache of its own, the database takes one beside it.
fn table(cache: &Cache) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table
}

/// Options of the column family for everything except records.
fn rows(cache: &Cache) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(&table(cache));
    options.set_write_buffer_size(4 * MIB as usize);
    options
}

/// Options of the column family for records. Records are written once, are read soon or never, and are dropped from the
/// front. Sorting them into levels would write each record five times more. Many files therefore stay unmerged, and
/// later files of similar size are merged. Dropped records of large files are deleted as whole files, so the share of
/// dropped records does not start a merge.
fn records(cache: &Cache, unflushed_bytes: usize) -> Options {
    let mut merging = UniversalCompactOptions::default();
    merging.set_stop_style(UniversalCompactionStopStyle::Similar);
    merging.set_size_ratio(100);
    merging.set_max_size_amplification_percent(i32::MAX);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table(cache));
    options.set_write_buffer_size(unflushed_bytes.max(MIB as usize));
    options.set_target_file_size_base(64 * MIB);
    options.set_compaction_style(DBCompactionStyle::Universal);
    options.set_universal_compaction_options(&merging);
    options.set_level_zero_file_num_compaction_trigger(UNMERGED);
    options.set_level_zero_slowdown_writes_trigger(4 * UNMERGED);
    options.set_level_zero_stop_writes_trigger(8 * UNMERGED);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_periodic_compaction_seconds(MERGED_AFTER_S);
    options
}

/// Holds a log's folder. While it lives, nobody can open the log.
#[derive(Debug)]
pub struct LogLock {
    /// The lock ends when the file is closed.
    _file: File,
}

impl LogLock {
    pub(in crate::transport::embedded) fn take(path: &Path) -> Result<Self, TransportError> {
        let failed = |error: std::io::Error| failed("open", path, error);
        let file = File::create(path.join(LOCK)).map_err(failed)?;
        // A program that this process is just starting holds its files until it runs, also those of a log that is closed.
        for _ in 0..STARTING {
            if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(TransportError::Invalid(
                format!("another instance uses the log in '{}': close it, or choose another folder", path.display())
                    .into(),
            )),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl DurableStorage {
    /// Opens or creates the folder, and restores its contents.
    pub(in crate::transport::embedded) fn open(
        path: &Path,
        options: DurableOptions,
    ) -> Result<(Self, Restored), TransportError> {
        fs::create_dir_all(path).map_err(|error| failed("open", path, error))?;
        let lock = LogLock::take(path)?;
        let db_options = database().map_err(|error| failed("open", path, error))?;
        // The newest records have the other half.
        let half = options.memory_bytes / 2;
        let cache = Cache::new_lru_cache(half / 4);
        let families = [("default", rows(&cache)), (RECORDS, records(&cache, half / 4 * 3))];
        let db = DB::open_cf_with_opts(&db_options, path, families).map_err(|error| failed("open", path, error))?;
        let storage = Self { db, path: path.to_owned(), options, _lock: lock };
        let restored = storage.restore()?;
        Ok((storage, restored))
    }

    fn restore(&self) -> Result<Restored, TransportError> {
        let mut restored = Restored::default();
        let mut bounds = BTreeMap::new();
        let mut topics = Vec::new();
        let mut rows = self.db.raw_iterator();
        rows.seek_to_first();
        while let Some((key, row)) = rows.item() {
            let damaged = |source| self.damaged(format!("row {key:?}"), source);
            match Meta::decode(key).map_err(damaged)? {
                Meta::NextTopic => {
                    let id: Result<[u8; 4], _> = row.try_into();
                    restored.next_topic_id = u32::from_be_bytes(id.map_err(|_| damaged(FormatError::Unknown(b'n')))?);
                }
                Meta::Topic(name) => topics.push(format::get_topic(name, row).map_err(damaged)?),
                Meta::Partition(topic, partition) => {
                    bounds.insert(PartitionId { topic, partition }, format::get_bounds(row).map_err(damaged)?);
                }
                Meta::Offset(group, name) => {
                    restored.offsets.push((group, name, format::get_offset(row).map_err(damaged)?));
                }
                Meta::Epoch(id) => {
                    let epoch: Result<[u8; 4], _> = row.try_into();
                    let epoch = i32::from_be_bytes(epoch.map_err(|_| damaged(FormatError::Unknown(b'e')))?);
                    restored.epochs.push((id, epoch));
                }
            }
            rows.next();
        }
        self.finished(&rows)?;
        for (id, spec) in topics {
            let ids =
                (0..u32::try_from(spec.partitions).unwrap_or(0)).map(|partition| PartitionId { topic: id, partition });
            let partitions = ids.map(|partition| {
                let bounds = bounds.get(&partition).copied().unwrap_or_default();
                Ok((bounds, self.end(partition)?.max(bounds.low)))
            });
            let partitions = partitions.collect::<Result<_, TransportError>>()?;
            restored.topics.push(RestoredTopic { id, spec, partitions });
        }
        Ok(restored)
    }

    /// The offset after a partition's last record.
    fn end(&self, partition: PartitionId) -> Result<Offset, TransportError> {
        let mut rows = self.db.raw_iterator_cf(self.records());
        rows.seek_for_prev(format::record_key(partition, Offset::MAX));
        let last = rows.key().filter(|key| key.starts_with(&format::record_key(partition, 0)[..8]));
        let last = last.map(format::record_offset).transpose();
        self.finished(&rows)?;
        Ok(last.map_err(|error| self.damaged(format!("{partition:?}"), error))?.map_or(0, |last| last + 1))
    }

    fn add(&self, batch: &mut WriteBatch, change: &Change<'_>, row: &mut Vec<u8>) {
        let bounds = |batch: &mut WriteBatch, id: PartitionId, bounds: Bounds| {
            batch.put(Meta::Partition(id.topic, id.partition).encode(), format::put_bounds(bounds));
        };
        let offset = |group: &str, partition| Meta::Offset(group.to_owned(), Clone::clone(partition)).encode();
        match change {
            Change::CreateTopic { id, spec } => {
                batch.put(Meta::Topic(spec.name.to_string()).encode(), format::put_topic(*id, spec));
                batch.put(Meta::NextTopic.encode(), (id + 1).to_be_bytes());
            }
            Change::AlterTopic { id, spec } => {
                batch.put(Meta::Topic(spec.name.to_string()).encode(), format::put_topic(*id, spec));
            }
            Change::DeleteTopic { id, spec } => {
                batch.delete(Meta::Topic(spec.name.to_string()).encode());
                let end = spec.partitions.unsigned_abs();
                batch.delete_range(Meta::Partition(*id, 0).encode(), Meta::Partition(*id, end).encode());
                let key = |partition| format::record_key(PartitionId { topic: *id, partition }, 0);
                batch.delete_range_cf(self.records(), key(0), key(end));
            }
            Change::Append { partition, records } => {
                for stored in *records {
                    row.clear();
                    format::put_record(row, stored);
                    batch.put_cf(self.records(), format::record_key(*partition, stored.record.offset), &*row);
                }
            }
            Change::DropBelow { partition, bounds: new } => bounds(batch, *partition, *new),
            Change::Trim { partition, from, to } => {
                let key = |offset| format::record_key(*partition, offset);
                batch.delete_range_cf(self.records(), key(*from), key(*to));
            }
            Change::Remove { partition, offsets, bounds: new } => {
                for offset in *offsets {
                    batch.delete_cf(self.records(), format::record_key(*partition, *offset));
                }
                bounds(batch, *partition, *new);
            }
            Change::Commit { group, partition, offset: committed } => {
                batch.put(offset(group, partition), format::put_offset(committed));
            }
            Change::Forget { group, partition } => batch.delete(offset(group, partition)),
            Change::Epoch { transactional_id, epoch } => {
                batch.put(Meta::Epoch((*transactional_id).to_owned()).encode(), epoch.to_be_bytes());
            }
        }
    }

    /// Deletes files that hold only dropped records. Other dropped records disappear when their files are merged.
    fn delete_files(&self, change: &Change<'_>) -> Result<(), TransportError> {
        let (from, to) = match change {
            Change::Trim { partition, to, .. } => {
                (format::record_key(*partition, 0), format::record_key(*partition, *to))
            }
            Change::DeleteTopic { id, spec } => {
                let key = |partition| format::record_key(PartitionId { topic: *id, partition }, 0);
                (key(0), key(spec.partitions.unsigned_abs()))
            }
            _ => return Ok(()),
        };
        let deleted = self.db.delete_file_in_range_cf(self.records(), from, to);
        deleted.map_err(|error| failed("free space of", &self.path, error))
    }

    fn records(&self) -> &ColumnFamily {
        self.db.cf_handle(RECORDS).expect("the database was opened with this column family")
    }

    /// Returns the iterator's error. An iterator that fails looks like an iterator at its end.
    fn finished(&self, rows: &DBRawIterator<'_>) -> Result<(), TransportError> {
        rows.status().map_err(|error| failed("read", &self.path, error))
    }

    fn damaged(&self, place: String, source: FormatError) -> TransportError {
        TransportError::Storage(Box::new(DamagedError { path: self.path.clone(), place, source }))
    }
}

impl LogStorage for DurableStorage {
    fn write(&self, changes: &[Change<'_>]) -> Result<(), TransportError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        let mut row = Vec::new();
        for change in changes {
            self.add(&mut batch, change, &mut row);
        }
        let mut options = WriteOptions::default();
        options.set_sync(self.options.sync);
        self.db.write_opt(batch, &options).map_err(|error| failed("write to", &self.path, error))?;
        changes.iter().try_for_each(|change| self.delete_files(change))
    }

    fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        to: Offset,
        max: usize,
        visit: &mut dyn FnMut(&Stored),
    ) -> Result<usize, TransportError> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(format::record_key(partition, to));
        let mut rows = self.db.raw_iterator_cf_opt(self.records(), options);
        rows.seek(format::record_key(partition, from));
        let mut visited = 0;
        while let Some((key, row)) = rows.item().filter(|_| visited < max) {
            let stored = format::record_offset(key).and_then(|offset| format::get_record(offset, row));
            visit(&stored.map_err(|error| self.damaged(format!("{partition:?}, record {key:?}"), error))?);
            visited += 1;
            rows.next();
        }
        self.finished(&rows)?;
        Ok(visited)
    }

    fn tail_bytes(&self) -> Option<usize> {
        Some(self.options.memory_bytes / 2)
    }

    fn flush(&self) -> Result<(), TransportError> {
        let rows = self.db.cf_handle("default").expect("every database has this column family");
        let flushed = self.db.flush_cfs_opt(&[rows, self.records()], &FlushOptions::default());
        flushed.map_err(|error| failed("flush", &self.path, error))
    }

    fn scrub(&self) -> Result<(), TransportError> {
        // The write-ahead log holds the records, too. It is deleted when everything in it is in files.
        self.flush()?;
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        // Other merges go on meanwhile, and so do writes.
        options.set_exclusive_manual_compaction(false);
        self.db.compact_range_cf_opt(self.records(), None::<&[u8]>, None::<&[u8]>, &options);
        Ok(())
    }
}

fn failed(
    doing: &'static str,
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> TransportError {
    let source = source.into();
    let kind = source.downcast_ref::<rocksdb::Error>().map(rocksdb::Error::kind);
    let is_damaged = matches!(kind, Some(ErrorKind::Corruption | ErrorKind::InvalidArgument));
    let hint = if is_damaged { DAMAGED } else { CHECK_DISK };
    TransportError::Storage(Box::new(DurableError { doing, path: path.to_owned(), source, hint }))
}
