//! `RocksDB`'s errors, sorted by who must act.
//!
//! `RocksDB` distinguishes these errors only by their text. This file is the only one that reads the text.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};

use crate::{BoxError, Row, StoreError};

/// The location of a store, for errors.
#[derive(Debug)]
pub(super) struct StoreLocation {
    path: PathBuf,
    store: String,
}

impl StoreLocation {
    pub(super) fn new(path: &Path) -> Self {
        let store = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self { path: path.to_owned(), store }
    }

    /// Creates the folder if it is missing. If a store has lost its `CURRENT` file, `RocksDB` would treat it as new and
    /// delete the remaining files; this check reports damage instead.
    pub(super) fn check_folder(&self) -> Result<(), StoreError> {
        let names = self.file_names().map_err(|source| StoreError::from_io(&self.path, source))?;
        let is_table = |name: &String| matches!(name.rsplit_once('.'), Some((_, "sst")));
        let has_tables = names.iter().any(|name| name.starts_with("MANIFEST-") || is_table(name));
        if has_tables && !names.iter().any(|name| name == "CURRENT") {
            return Err(self.corrupted("the file CURRENT is missing"));
        }
        Ok(())
    }

    fn file_names(&self) -> io::Result<Vec<String>> {
        fs::create_dir_all(&self.path)?;
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    pub(super) fn corrupted(&self, source: impl Into<BoxError>) -> StoreError {
        StoreError::Corrupted { store: self.store.clone(), source: source.into() }
    }

    pub(super) fn error(&self, error: rocksdb::Error) -> StoreError {
        let text = error.as_ref();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let path = self.path.clone();
        if says(&["No space left on device", "Disk quota exceeded"]) {
            return StoreError::DiskFull { path, source: io::Error::new(ErrorKind::StorageFull, error) };
        }
        if says(&["lock hold by current process", "While lock file"]) {
            return StoreError::Locked { path };
        }
        if says(&["Permission denied", "Read-only file system"]) {
            return StoreError::Unreadable { path, source: io::Error::new(ErrorKind::PermissionDenied, error) };
        }
        if says(&["Not a directory"]) {
            return StoreError::Unreadable { path, source: io::Error::new(ErrorKind::NotADirectory, error) };
        }
        // The folder existed when the store was opened. A missing or short file inside it is therefore damage.
        let is_damage = says(&["No such file or directory", "does not exist", "Column famil", "bad magic"]);
        if error.kind() == rocksdb::ErrorKind::Corruption || is_damage {
            return self.corrupted(error);
        }
        StoreError::Io { path, source: io::Error::other(error) }
    }

    /// Decodes a stored row.
    pub(super) fn row(&self, mut stored: &[u8]) -> Result<Row, StoreError> {
        let timestamp = stored.try_get_i64().map_err(|error| self.corrupted(error))?;
        Ok(Row { timestamp, value: Bytes::copy_from_slice(stored) })
    }
}
