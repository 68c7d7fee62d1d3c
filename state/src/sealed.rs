//! The writes that stores set apart for a commit.

use std::sync::Arc;

use bytes::Bytes;

use crate::overlay::Overlay;

/// The writes of a store since its last commit. Reads see them until
/// [`ByteStore::commit_sealed`](crate::ByteStore::commit_sealed) takes them or a rollback discards them.
///
/// ```
/// # use bytes::Bytes;
/// # use tidemill_state::{MemoryBackend, Row, ByteStore};
/// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
/// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
/// assert!(store.seal().is_empty());
/// store.put("ann".into(), row("1"));
/// store.put("bo".into(), row("1"));
/// let sealed = store.seal();
/// assert_eq!(sealed.last_key(), Some(&Bytes::from("bo")));
/// assert!(!sealed.is_empty() && !sealed.sets_meta());
/// store.commit_sealed(sealed, None)?;
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[derive(Debug)]
#[must_use = "it is committed, or rolled back"]
pub struct Sealed {
    pub(crate) overlay: Option<Arc<Overlay>>,
}

impl Sealed {
    /// Whether there are no writes. See the example of [`Sealed`].
    pub fn is_empty(&self) -> bool {
        self.overlay.is_none()
    }

    /// The number of writes, deletions and named values. Each is one record of the changelog. See the example of
    /// [`Sealed`].
    pub fn changes(&self) -> usize {
        self.overlay.as_ref().map_or(0, |overlay| overlay.rows.len() + overlay.meta.len())
    }

    /// The last key that is written or deleted. See the example of [`Sealed`].
    pub fn last_key(&self) -> Option<&Bytes> {
        self.overlay.as_ref()?.rows.last_key_value().map(|(key, _)| key)
    }

    /// Whether named values are set. See the example of [`Sealed`].
    pub fn sets_meta(&self) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| !overlay.meta.is_empty())
    }
}

/// The writes of a window store since its last commit, and its knowledge of windows at that time.
///
/// ```
/// # use bytes::Bytes;
/// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
/// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
/// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
/// store.put(0, b"ann", row("1"));
/// let sealed = store.seal();
/// assert_eq!((sealed.epoch(), sealed.rows().is_empty()), (1, false));
/// store.commit_sealed(sealed, None)?;
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
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
    /// Its rows. See the example of [`SealedWindows`].
    pub fn rows(&self) -> &Sealed {
        &self.rows
    }

    /// The number of the commit: 1, 2, 3… See the example of [`SealedWindows`].
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// The versions since a versioned store's last commit, and the observed time then.
///
/// ```
/// # use bytes::Bytes;
/// # use tidemill_state::{ByteStore, ByteVersionedStore, MemoryBackend};
/// # let mut store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 3_600_000)?;
/// store.put(b"tea", Some(Bytes::from("3.00")), 7)?;
/// let sealed = store.seal();
/// assert_eq!(sealed.rows().changes(), 1);
/// store.commit_sealed(sealed, None)?;
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[derive(Debug)]
#[must_use = "it is committed, or rolled back"]
pub struct SealedVersions {
    pub(crate) rows: Sealed,
    pub(crate) observed_ms: i64,
}

impl SealedVersions {
    /// Its rows. See the example of [`SealedVersions`].
    pub fn rows(&self) -> &Sealed {
        &self.rows
    }
}
