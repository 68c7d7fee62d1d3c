//! A store of a task, whatever its kind: its commits, and its rows in the changelog.

use bytes::Bytes;
use tidemill_state::{ByteStore, Row, SessionKey, StoreError, VersionKey, WindowKey};

use super::Changes;
use crate::{operators::StoreHandle, transport::Offset};

/// Shorter changelog keys are not rows of windows or sessions but the store's own notes.
const WINDOW_KEY_SUFFIX: usize = 12;

impl StoreHandle {
    pub(crate) fn with_store<R>(&self, read: impl FnOnce(&ByteStore) -> R) -> R {
        match self {
            Self::KeyValue(store) => read(&store.borrow()),
            Self::Window(store) => read(store.borrow().store()),
            Self::Session(store) => read(store.borrow().store()),
            Self::Versioned(store) => read(store.borrow().store()),
        }
    }

    /// Notes since when the store has missed no deletion of its changelog.
    pub(super) fn set_current_at(&self, wall_ms: i64) -> Result<(), StoreError> {
        match self {
            Self::KeyValue(store) => store.borrow_mut().set_current_at(wall_ms),
            Self::Window(store) => store.borrow_mut().store_mut().set_current_at(wall_ms),
            Self::Session(store) => store.borrow_mut().store_mut().set_current_at(wall_ms),
            Self::Versioned(store) => store.borrow_mut().store_mut().set_current_at(wall_ms),
        }
    }

    pub(in crate::task) fn has_waited(&self, now_ms: i64, wait_ms: i64) -> bool {
        match self {
            Self::KeyValue(store) => store.borrow_mut().has_waited(now_ms, wait_ms),
            Self::Window(store) => store.borrow_mut().store_mut().has_waited(now_ms, wait_ms),
            Self::Session(store) => store.borrow_mut().store_mut().has_waited(now_ms, wait_ms),
            Self::Versioned(store) => store.borrow_mut().store_mut().has_waited(now_ms, wait_ms),
        }
    }

    pub(in crate::task) fn begin_flush(&self) -> Result<(), StoreError> {
        match self {
            Self::KeyValue(store) => store.borrow_mut().begin_flush(),
            Self::Window(store) => store.borrow_mut().store_mut().begin_flush(),
            Self::Session(store) => store.borrow_mut().store_mut().begin_flush(),
            Self::Versioned(store) => store.borrow_mut().store_mut().begin_flush(),
        }
    }

    pub(super) fn roll_back(&self) {
        match self {
            Self::KeyValue(store) => store.borrow_mut().rollback(),
            Self::Window(store) => store.borrow_mut().rollback(),
            Self::Session(store) => store.borrow_mut().rollback(),
            Self::Versioned(store) => store.borrow_mut().rollback(),
        }
    }

    pub(super) fn flush(&self) -> Result<(), StoreError> {
        match self {
            Self::KeyValue(store) => store.borrow_mut().flush(),
            Self::Window(store) => store.borrow_mut().store_mut().flush(),
            Self::Session(store) => store.borrow_mut().store_mut().flush(),
            Self::Versioned(store) => store.borrow_mut().store_mut().flush(),
        }
    }

    pub(super) fn clear(&self) -> Result<(), StoreError> {
        match self {
            Self::KeyValue(store) => store.borrow_mut().clear(),
            Self::Window(store) => store.borrow_mut().clear(),
            Self::Session(store) => store.borrow_mut().clear(),
            Self::Versioned(store) => store.borrow_mut().clear(),
        }
    }

    /// Applies changes read from the changelog, up to `next`.
    pub(super) fn restore(&self, (rows, meta): Changes, next: Offset) -> Result<(), StoreError> {
        match self {
            Self::KeyValue(store) => store.borrow_mut().restore(rows, meta, next),
            Self::Window(store) => store.borrow_mut().restore(rows, meta, next),
            Self::Session(store) => store.borrow_mut().restore(rows, meta, next),
            // The changelog has no notes: times are those of its records.
            Self::Versioned(store) => store.borrow_mut().restore(rows, next),
        }
    }

    /// The key, time and value of a row's record in the changelog.
    pub(in crate::task) fn to_changelog(&self, local: &Bytes, row: Option<&Row>) -> (Bytes, i64, Option<Bytes>) {
        let (timestamp, value) = (row.map_or(0, |row| row.timestamp), row.map(|row| row.value.clone()));
        match self {
            Self::KeyValue(_) => (local.clone(), timestamp, value),
            Self::Window(_) => {
                let key = WindowKey::local_to_changelog(local).expect("window stores hold only rows that they encoded");
                (key, timestamp, value)
            }
            Self::Versioned(_) => {
                let version = VersionKey::decode(local.clone()).expect("versioned stores hold only versions");
                (version.key, version.timestamp, row.and_then(VersionKey::value).cloned())
            }
            Self::Session(_) => {
                let key =
                    SessionKey::local_to_changelog(local).expect("session stores hold only rows that they encoded");
                (key, timestamp, value)
            }
        }
    }

    /// Sorts a changelog record into rows and notes. Keys that no store of this kind writes are ignored.
    pub(in crate::task) fn read_change(&self, key: Bytes, value: Option<Bytes>, timestamp: i64, into: &mut Changes) {
        let row = |value: Option<Bytes>| value.map(|value| Row { timestamp, value });
        match self {
            Self::Versioned(_) => {
                let version = VersionKey::from_changelog(&key, value, timestamp);
                into.0.extend(version.map(|(local, row)| (local, Some(row))));
            }
            Self::KeyValue(_) => into.0.push((key, row(value))),
            Self::Window(_) | Self::Session(_) if key.len() < WINDOW_KEY_SUFFIX => {
                if let (Ok(key), Some(value)) = (std::str::from_utf8(&key), value) {
                    into.1.push((key.to_owned(), value));
                }
            }
            Self::Window(_) => {
                if let Ok(at) = WindowKey::decode_changelog(key) {
                    into.0.push((at.encode_local(), row(value)));
                }
            }
            Self::Session(_) => {
                if let Ok(at) = SessionKey::decode_changelog(key) {
                    into.0.push((at.encode_local(), row(value)));
                }
            }
        }
    }
}
