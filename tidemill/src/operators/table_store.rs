//! The store of a table: the last value of each key, or all versions of it.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteStore, ByteVersionedStore, Row, StoreError, VersionPut, VersionedRecord};

/// The store of a table. Joins, queries and the table's own step share it.
#[derive(Clone)]
pub(crate) enum TableStore {
    /// The last value of each key is the one with the highest offset, whatever its timestamp.
    KeyValue(Rc<RefCell<ByteStore>>),
    /// The last value of each key is the one with the highest timestamp (KIP-914).
    Versioned(Rc<RefCell<ByteVersionedStore>>),
}

impl TableStore {
    /// The last value of a key.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        match self {
            Self::KeyValue(store) => store.borrow().get(key),
            Self::Versioned(store) => Ok(store.borrow().get(key)?.map(row)),
        }
    }

    /// The value that a key had at a time. Without versions it is the last value.
    #[inline]
    pub(crate) fn get_as_of(&self, key: &[u8], as_of: i64) -> Result<Option<Row>, StoreError> {
        match self {
            Self::KeyValue(store) => store.borrow().get(key),
            Self::Versioned(store) => Ok(store.borrow().get_as_of(key, as_of)?.map(row)),
        }
    }

    /// Puts the value that a key has from a time on. Without a value, the key is deleted.
    #[inline]
    pub(crate) fn put(&self, key: Bytes, value: Option<Bytes>, timestamp: i64) -> Result<VersionPut, StoreError> {
        match (self, value) {
            (Self::KeyValue(store), Some(value)) => store.borrow_mut().put(key, Row { timestamp, value }),
            (Self::KeyValue(store), None) => store.borrow_mut().delete(key),
            (Self::Versioned(store), value) => return store.borrow_mut().put(&key, value, timestamp),
        }
        Ok(VersionPut::Latest)
    }
}

fn row(version: VersionedRecord<Bytes>) -> Row {
    Row { timestamp: version.timestamp, value: version.value }
}
