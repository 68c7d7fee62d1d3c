//! Named values beside the rows of a store.

use bytes::Bytes;

use super::ByteStore;
use crate::{Batch, StoreError};

/// The name under which a store keeps the time when its rows were current.
const CURRENT_AT: &str = "current-at-ms";

/// The name under which a store keeps the description of its writer.
const WRITTEN_BY: &str = "rows-written-by";

impl ByteStore {
    /// Sets a named value beside the rows. It is uncommitted until the next commit, like rows.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.set_meta("stream-time", "7".into());
    /// assert_eq!(store.uncommitted_meta().next(), Some(("stream-time", &Bytes::from("7"))));
    /// store.commit(None)?;
    /// assert_eq!(store.meta("stream-time")?, Some("7".into()));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn set_meta(&mut self, key: &str, value: Bytes) {
        self.overlay.set_meta(key, value);
    }

    /// The named value `key`, committed or not. See the example of [`set_meta`](Self::set_meta).
    pub fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match self.overlays().find_map(|overlay| overlay.meta.get(key)) {
            Some(value) => Ok(Some(value.clone())),
            None => self.backend.meta(key),
        }
    }

    /// The named values that were set since the last commit or seal. See the example of [`set_meta`](Self::set_meta).
    pub fn uncommitted_meta(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.overlay.meta.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Notes that the rows have missed no deletion of the changelog since this wall time (milliseconds since the
    /// epoch): at that time they were equal to the changelog, or empty. The note is kept beside the rows. It is not
    /// logged, and it is durable with the next flush.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.set_current_at(1_700_000_000_000)?;
    /// assert_eq!(store.current_at()?, Some(1_700_000_000_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn set_current_at(&mut self, wall_ms: i64) -> Result<(), StoreError> {
        let meta = vec![(CURRENT_AT.to_owned(), Bytes::copy_from_slice(&wall_ms.to_be_bytes()))];
        self.backend.write(Batch { meta, ..Batch::default() })
    }

    /// The wall time of the last [`set_current_at`](Self::set_current_at), in milliseconds since the epoch. See the
    /// example of [`set_current_at`](Self::set_current_at).
    pub fn current_at(&self) -> Result<Option<i64>, StoreError> {
        let raw = self.backend.meta(CURRENT_AT)?;
        Ok(raw.and_then(|raw| Some(i64::from_be_bytes(raw.as_ref().try_into().ok()?))))
    }

    /// Notes what writes the rows, as text that the caller chooses. The note is kept beside the rows, and
    /// [`clear`](Self::clear) keeps it.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.set_written_by("operator=count")?;
    /// store.clear()?;
    /// assert_eq!(store.written_by()?.as_deref(), Some("operator=count"));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn set_written_by(&mut self, writer: &str) -> Result<(), StoreError> {
        let meta = vec![(WRITTEN_BY.to_owned(), Bytes::copy_from_slice(writer.as_bytes()))];
        self.backend.write(Batch { meta, ..Batch::default() })
    }

    /// The text of the last [`set_written_by`](Self::set_written_by). See the example of
    /// [`set_written_by`](Self::set_written_by).
    pub fn written_by(&self) -> Result<Option<String>, StoreError> {
        let raw = self.backend.meta(WRITTEN_BY)?;
        Ok(raw.map(|raw| String::from_utf8_lossy(&raw).into_owned()))
    }
}
