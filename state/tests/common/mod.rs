//! Backends that the suites run over.

#![allow(dead_code, reason = "each suite uses a part")]

use bytes::Bytes;
use tidemill_state::{Backend, ByteStore, MemoryBackend, Row};
#[cfg(feature = "rocksdb")]
use tidemill_state::{RocksDbBackend, RocksDbOptions, RocksDbShared};

/// A kind of backend, with the folder of those on disk.
pub(crate) enum Kind {
    Memory,
    #[cfg(feature = "rocksdb")]
    RocksDb {
        folder: tempfile::TempDir,
        wal: bool,
    },
}

/// Every kind, each with a fresh folder.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        Kind::Memory,
        #[cfg(feature = "rocksdb")]
        Kind::RocksDb { folder: tempfile::tempdir().unwrap(), wal: false },
        #[cfg(feature = "rocksdb")]
        Kind::RocksDb { folder: tempfile::tempdir().unwrap(), wal: true },
    ]
}

/// Only the kinds that outlive the process.
pub(crate) fn durable_kinds() -> Vec<Kind> {
    kinds().into_iter().filter(|kind| !matches!(kind, Kind::Memory)).collect()
}

impl Kind {
    pub(crate) fn backend(&self) -> Box<dyn Backend> {
        match self {
            Kind::Memory => Box::new(MemoryBackend::new()),
            #[cfg(feature = "rocksdb")]
            Kind::RocksDb { folder, wal } => Box::new(open_rocksdb(&folder.path().join("store"), *wal).unwrap()),
        }
    }

    pub(crate) fn store(&self) -> ByteStore {
        ByteStore::new("store", self.backend())
    }
}

#[cfg(feature = "rocksdb")]
pub(crate) fn open_rocksdb(path: &std::path::Path, wal: bool) -> Result<RocksDbBackend, tidemill_state::StoreError> {
    // Buffers this small turn a test's few rows into several files.
    let options = RocksDbOptions { write_buffer_bytes: 64 * 1024, ..RocksDbOptions::default() };
    RocksDbBackend::open(path, &options, &RocksDbShared::new(8 * 1024 * 1024), wal)
}

pub(crate) fn row(value: &str) -> Row {
    Row { timestamp: value.len() as i64 - 2, value: Bytes::copy_from_slice(value.as_bytes()) }
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
