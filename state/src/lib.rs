//! State stores of Tidemill: they keep the state of a task between records.
//!
//! A [`ByteStore`] keeps rows of bytes. Uncommitted writes stay in an overlay above a [`Backend`]
//! (memory or `RocksDB`); a commit moves them into the backend in one batch, together with the
//! changelog offset they correspond to, so that a store always opens at a consistent point.
//! [`ByteWindowStore`] adds window keys, appending and expiry; [`ByteSessionStore`] has sessions;
//! [`ByteVersionedStore`] has versions. [`KeyValueStore`], [`WindowStore`], [`SessionStore`] and
//! [`VersionedStore`] are the typed handles that processors hold.
//!
//! This crate knows bytes, not networks. The writer of a changelog reads [`ByteStore::uncommitted`] before a commit, and
//! calls [`ByteStore::restore`] after a crash.
//!
//! ```
//! use bytes::Bytes;
//! use tidemill_state::{MemoryBackend, Row, ByteStore};
//!
//! let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
//! store.put(Bytes::from("tide"), Row { timestamp: 7, value: Bytes::from("1") });
//! store.commit(Some(42))?;
//! assert_eq!(store.checkpoint()?, Some(42));
//! # Ok::<(), tidemill_state::StoreError>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod error;

mod codec;

mod backend;
mod memory;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod row;

mod expiry;
mod journal;
mod merge;
mod overlay;
mod sealed;
mod shared;
mod stats;
mod store;
mod walk;

mod sequences;
mod window;
mod window_key;

mod session;
mod session_key;

mod version_key;
mod versioned;

mod typed;

mod directory;

pub use backend::{Backend, Batch, Direction, Rows};
pub use codec::{BigEndian, Bool, Codec, CodecError, Coded, Json, List, Nullable, Pair, RawBytes, Unit, Utf8};
pub use directory::StateDirectory;
pub use error::{BoxError, StoreError};
pub use journal::Savepoint;
pub use memory::MemoryBackend;
#[cfg(feature = "rocksdb")]
pub use rocksdb::{RocksDbBackend, RocksDbOptions, RocksDbShared};
pub use row::Row;
pub use sealed::{Sealed, SealedVersions, SealedWindows};
pub use session::ByteSessionStore;
pub use session_key::SessionKey;
pub use shared::SharedBackend;
pub use stats::StoreStats;
pub use store::ByteStore;
pub use typed::{KeyValueIterator, KeyValueStore, Session, SessionStore, VersionedStore, WindowStore};
pub use version_key::VersionKey;
pub use versioned::{ByteVersionedStore, VersionPut, VersionSavepoint, VersionedRecord};
pub use window::{ByteWindowStore, WindowWalk};
pub use window_key::WindowKey;
