//! The settings of `RocksDB`: one memory budget for all stores of the process.

use std::fmt;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, LogLevel, Options, WriteBufferManager,
};

use super::{DATA, META};

const MIB: usize = 1024 * 1024;
/// Files older than this are merged, so that deleted rows do not stay in them. The database looks for such files about
/// twice a day.
const MERGED_AFTER_S: u64 = 12 * 60 * 60;

/// The resources that one store may use.
#[derive(Debug, Clone)]
pub struct RocksDbOptions {
    /// The size of the write buffer: rows stay in memory up to this size, then a flush writes them to a file. The
    /// shared budget may cause an earlier flush. The default is 32 MiB.
    pub write_buffer_bytes: usize,
    /// The number of files that accumulate before they are merged into sorted levels. The default is 4.
    pub unmerged_files: i32,
    /// The number of files that are kept open. The default is 256.
    pub max_open_files: i32,
    /// The size of a block, the unit of reads and of the cache. The default is 16 KiB.
    pub block_bytes: usize,
    /// Bits per key of the filter that avoids reads of files without the key. The default is 10.
    pub bloom_bits_per_key: f64,
    /// The number of threads that flush and compact, shared by all stores of the process. The default is 2.
    pub background_jobs: i32,
}

impl Default for RocksDbOptions {
    fn default() -> Self {
        Self {
            write_buffer_bytes: 32 * MIB,
            unmerged_files: 4,
            max_open_files: 256,
            block_bytes: 16 * 1024,
            bloom_bits_per_key: 10.0,
            background_jobs: 2,
        }
    }
}

impl RocksDbOptions {
    /// Options for windows: most rows expire before a merge would be worth its cost.
    ///
    /// A flush omits rows that expired in memory, and a late merge drops the rows of whole files instead of rewriting
    /// them.
    ///
    /// ```no_run
    /// use tidemill_state::RocksDbOptions;
    ///
    /// let options = RocksDbOptions { background_jobs: 4, ..RocksDbOptions::windows() };
    /// assert_eq!(options.write_buffer_bytes, 64 << 20);
    /// ```
    pub fn windows() -> Self {
        Self { write_buffer_bytes: 64 * MIB, unmerged_files: 16, ..Self::default() }
    }

    pub(super) fn database(&self, shared: &RocksDbShared) -> Options {
        // Reserving disk space ahead would take megabytes for each empty store.
        let options = Options::default().get_options_from_string("allow_fallocate=false");
        let mut options = options.expect("RocksDB knows this option");
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_atomic_flush(true);
        options.set_write_buffer_manager(&shared.write_buffers);
        options.set_max_open_files(self.max_open_files);
        options.set_max_background_jobs(self.background_jobs);
        // A store has one writer.
        options.set_allow_concurrent_memtable_write(false);
        options.set_enable_write_thread_adaptive_yield(false);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(MIB);
        options.set_log_level(LogLevel::Warn);
        options
    }

    pub(super) fn data_family(&self, shared: &RocksDbShared) -> ColumnFamilyDescriptor {
        let mut options = self.family(shared);
        options.set_write_buffer_size(self.write_buffer_bytes);
        options.set_max_write_buffer_number(4);
        // Young rows are soon rewritten or expired. Compressing them would be expensive and save almost nothing.
        options.set_compression_per_level(&[DBCompressionType::None, DBCompressionType::None, DBCompressionType::Lz4]);
        options.set_level_zero_file_num_compaction_trigger(self.unmerged_files);
        options.set_level_zero_slowdown_writes_trigger(5 * self.unmerged_files);
        options.set_level_zero_stop_writes_trigger(9 * self.unmerged_files);
        options.set_target_file_size_base(self.write_buffer_bytes as u64);
        // Unmerged files count against this limit, too. A smaller limit would cause earlier merges.
        options.set_max_bytes_for_level_base(self.unmerged_files as u64 * self.write_buffer_bytes as u64);
        options.set_periodic_compaction_seconds(MERGED_AFTER_S);
        ColumnFamilyDescriptor::new(DATA, options)
    }

    pub(super) fn meta_family(&self, shared: &RocksDbShared) -> ColumnFamilyDescriptor {
        let mut options = self.family(shared);
        // Every commit writes a checkpoint here. When this buffer is full, both families are flushed.
        options.set_write_buffer_size(4 * MIB);
        // The same number as for the rows. With fewer buffers, a flush without a wait would wait for the flush before
        // it.
        options.set_max_write_buffer_number(4);
        ColumnFamilyDescriptor::new(META, options)
    }

    fn family(&self, shared: &RocksDbShared) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&shared.cache);
        table.set_block_size(self.block_bytes);
        table.set_bloom_filter(self.bloom_bits_per_key, false);
        // Indexes and filters count against the budget, too.
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        let mut options = Options::default();
        options.set_block_based_table_factory(&table);
        // Memory for rows is taken in pieces of this size and counts as used at once. Large pieces of many small stores
        // would use up the budget with nothing in them.
        options.set_arena_block_size(64 << 10);
        options
    }
}

/// The memory that all stores of the process share. Clones share the same memory.
#[derive(Clone)]
pub struct RocksDbShared {
    cache: Cache,
    write_buffers: WriteBufferManager,
}

impl RocksDbShared {
    /// Creates one budget for cached blocks and unflushed rows, in bytes. Unflushed rows take at most half of it. The
    /// default budget is 256 MiB. See the example of [`RocksDbBackend::open`](crate::RocksDbBackend::open).
    pub fn new(memory_budget_bytes: usize) -> Self {
        let cache = Cache::new_lru_cache(memory_budget_bytes);
        let write_buffers =
            WriteBufferManager::new_write_buffer_manager_with_cache(memory_budget_bytes / 2, false, cache.clone());
        Self { cache, write_buffers }
    }
}

impl Default for RocksDbShared {
    fn default() -> Self {
        Self::new(256 * MIB)
    }
}

impl fmt::Debug for RocksDbShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksDbShared").field("cached_bytes", &self.cache.get_usage()).finish_non_exhaustive()
    }
}
