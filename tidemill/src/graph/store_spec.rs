//! A store as the topology declares it.

use std::{collections::BTreeMap, time::Duration};

use super::StoreFormat;
use crate::{clock::FOR_EVER_MS, names::StoreName};

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// A value for each key.
    KeyValue,
    /// Values for each key and window.
    Window {
        /// The retention: rows are dropped if their window started longer ago than this in stream time.
        retention_ms: i64,
        /// Whether each key has a stream time of its own.
        by_key: bool,
    },
    /// Values for each key and session.
    Session {
        /// The retention: a session is dropped if it ended longer ago than this in stream time.
        retention_ms: i64,
    },
    /// The versions of each key's value.
    Versioned {
        /// How long versions are kept after they ended, in stream time.
        history_retention_ms: i64,
    },
}

impl StoreKind {
    /// How long a versioned store keeps versions, in milliseconds; `None` for any other store.
    pub(crate) fn history_ms(&self) -> Option<i64> {
        match self {
            Self::Versioned { history_retention_ms } => Some(*history_retention_ms),
            Self::KeyValue | Self::Window { .. } | Self::Session { .. } => None,
        }
    }

    /// The kind without its settings.
    pub(crate) fn shape(self) -> StoreShape {
        match self {
            Self::KeyValue => StoreShape::KeyValue,
            Self::Window { .. } => StoreShape::Window,
            Self::Session { .. } => StoreShape::Session,
            Self::Versioned { .. } => StoreShape::Versioned,
        }
    }

    /// How long a window or session store keeps rows, or a versioned store its history; `None` for ever, as every
    /// key-value store does.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill::StoreKind;
    ///
    /// let minute = StoreKind::Window { retention_ms: 60_000, by_key: false };
    /// assert_eq!(minute.retention(), Some(Duration::from_mins(1)));
    /// assert_eq!(StoreKind::KeyValue.retention(), None);
    /// ```
    pub fn retention(&self) -> Option<Duration> {
        match self {
            Self::Window { retention_ms: kept_ms, .. }
            | Self::Session { retention_ms: kept_ms }
            | Self::Versioned { history_retention_ms: kept_ms }
                if *kept_ms < FOR_EVER_MS =>
            {
                Some(Duration::from_millis(kept_ms.unsigned_abs()))
            }
            Self::Window { .. } | Self::Session { .. } | Self::Versioned { .. } | Self::KeyValue => None,
        }
    }
}

/// The kind of a store without its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreShape {
    KeyValue,
    Window,
    Session,
    Versioned,
}

impl StoreShape {
    /// The kind in words.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::KeyValue => "key-value",
            Self::Window => "window",
            Self::Session => "session",
            Self::Versioned => "versioned",
        }
    }

    /// The method by which such a store is asked for.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::KeyValue => "key_value_store",
            Self::Window => "window_store",
            Self::Session => "session_store",
            Self::Versioned => "versioned_store",
        }
    }
}

/// A store as the topology declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSpec {
    /// Its name.
    pub name: StoreName,
    /// What it holds.
    pub kind: StoreKind,
    /// Whether the store is on disk (RocksDB). Otherwise it is in memory.
    pub persistent: bool,
    /// Whether the store has a changelog topic. With a changelog it survives the loss of its machine.
    pub logged: bool,
    /// Settings with which the changelog topic is created, by their names on the broker.
    pub changelog_config: BTreeMap<String, String>,
    /// What the rows depend on, such as the operator that writes them.
    pub format: StoreFormat,
}
