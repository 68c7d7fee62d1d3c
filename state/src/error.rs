//! What can go wrong with a store, told apart by who must act.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::CodecError;

/// Any error, ready to cross threads.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a store could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Its bytes on disk are damaged: set the store aside and rebuild it from its changelog.
    #[error("store {store} is corrupted")]
    Corrupted {
        /// The damaged store.
        store: String,
        /// What the damage looks like.
        #[source]
        source: BoxError,
    },
    /// The disk is full: free space, then restart.
    #[error("the disk that holds {path} is full: free some space or move the state folder, then restart", path = .path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// The folder cannot be used at all: permissions, or it is not a folder.
    #[error("cannot use {path}: check that it is a folder which this user may read and write", path = .path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// Another instance uses the folder.
    #[error("{path} is in use by another instance: stop that one, or give this one a state folder of its own", path = .path.display())]
    Locked {
        /// The folder in use.
        path: PathBuf,
    },
    /// A name cannot become a folder's name.
    #[error("{name:?} cannot name a folder: use letters, digits, '.', '_' and '-', at most 200 of them")]
    Name {
        /// The name as given.
        name: String,
    },
    /// A key or value does not have the shape that its codec expects.
    #[error("store {store} holds or was given something its codec does not take")]
    Codec {
        /// The store.
        store: String,
        /// What the codec said.
        source: CodecError,
    },
    /// Its rows mean something else than whoever opens it would read: give the store another name, or reset the
    /// application.
    #[error(
        "store {store} was written by another topology: {difference}. Give the store another name, or reset the \
         application: delete its internal topics, committed offsets and state folders"
    )]
    WrittenByAnother {
        /// The store.
        store: String,
        /// What is different.
        difference: String,
    },
    /// Reading or writing failed for another reason.
    #[error("reading or writing {path} failed", path = .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
}

impl StoreError {
    /// Sorts a system error by who must act.
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
