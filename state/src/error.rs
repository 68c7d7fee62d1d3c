//! The errors of stores. Each variant tells who must act.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::CodecError;

/// Any error that can be sent between threads.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The reason why an operation of a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The bytes on disk are damaged: set the store aside and rebuild it from its changelog.
    #[error("store {store} is corrupted")]
    Corrupted {
        /// The damaged store.
        store: String,
        /// A description of the damage.
        #[source]
        source: BoxError,
    },
    /// The disk is full: free space, then restart.
    #[error("the disk that holds {path} is full: free some space or move the state folder, then restart", path = .path.display())]
    DiskFull {
        /// The file or folder that was written.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The folder cannot be used: permissions are missing, or the path is not a folder.
    #[error("cannot use {path}: check that it is a folder which this user may read and write", path = .path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another instance uses the folder.
    #[error("{path} is in use by another instance: stop that one, or give this one a state folder of its own", path = .path.display())]
    Locked {
        /// The folder in use.
        path: PathBuf,
    },
    /// A name cannot become a folder's name.
    #[error("{name:?} cannot be the name of a folder: use at most 200 letters, digits, '.', '_' and '-'")]
    Name {
        /// The invalid name.
        name: String,
    },
    /// A key or value does not have the shape that its codec expects.
    #[error("store {store} has or was given a key or value that its codec rejects")]
    Codec {
        /// The store.
        store: String,
        /// The error of the codec.
        source: CodecError,
    },
    /// A processor writes to a store that it may only read.
    #[error("store {store} can only be read here: its topic fills it")]
    ReadOnly {
        /// The store.
        store: String,
    },
    /// The rows have another meaning than the topology that opens the store expects: give the store another name, or
    /// reset the application.
    #[error(
        "store {store} was written by another topology: {difference}. Give the store another name, or reset the \
         application: delete its internal topics, committed offsets and state folders"
    )]
    WrittenByAnother {
        /// The store.
        store: String,
        /// The difference between the two formats.
        difference: String,
    },
    /// Reading or writing failed for another reason.
    #[error("reading or writing {path} failed", path = .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl StoreError {
    /// Converts an error of the operating system. The variant tells who must act.
    ///
    /// ```
    /// use std::{io, path::Path};
    /// use tidemill_state::StoreError;
    ///
    /// let error = StoreError::from_io(Path::new("data/state"), io::ErrorKind::StorageFull.into());
    /// assert!(matches!(error, StoreError::DiskFull { .. }));
    /// assert!(error.to_string().starts_with("the disk that holds data/state is full"));
    /// ```
    pub fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::NotFound => Self::Unreadable { path, source },
            _ => Self::Io { path, source },
        }
    }
}
