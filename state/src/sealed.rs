//! The writes that stores set apart for a commit.

use std::sync::Arc;

use bytes::Bytes;

use crate::overlay::Overlay;

/// The writes of a store since its last commit. Reads see them until
/// [`ByteStore::commit_sealed`](crate::ByteStore::commit_sealed) takes them or a rollback discards them.
#[derive(Debug)]
#[must_use = "it is committed, or rolled back"]
pub struct Sealed {
    pub(crate) overlay: Option<Arc<Overlay>>,
}

impl Sealed {
    /// Whether there are no writes.
    pub fn is_empty(&self) -> bool {
        self.overlay.is_none()
    }

    /// The last key that is written or deleted.
    pub fn last_key(&self) -> Option<&Bytes> {
        self.overlay.as_ref()?.rows.last_key_value().map(|(key, _)| key)
    }

    /// Whether named values are set.
    pub fn sets_meta(&self) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| !overlay.meta.is_empty())
    }
}

/// The writes of a window store since its last commit, and its knowledge of windows at that time.
#[derive(Debug)]
#[must_use = "it is committed, or rolled back"]
pub struct SealedWindows {
    pub(crate) rows: Sealed,
    /// Windows that start earlier were expired.
    pub(crate) expired_before: i64,
    pub(crate) epoch: u64,
    pub(crate) kept_from: Option<u64>,
}

impl SealedWindows {
    /// Its rows.
    pub fn rows(&self) -> &Sealed {
        &self.rows
    }

    /// The number of the commit: 1, 2, 3…
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}
