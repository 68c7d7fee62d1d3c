//! Taking keys out of a session store.

use bytes::Bytes;

use super::ByteSessionStore;
use crate::window_key::put_escaped;
use crate::{Direction, SessionKey, StoreError};

impl ByteSessionStore {
    /// Sessions whose key begins with `prefix`, by key, end and start: at most `max` of them, and where to go on. The
    /// walk begins at `from`, or at the first.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// ["ann", "bo"].into_iter().for_each(|key| store.put(key.as_bytes(), 0, 5_000, row("1")));
    /// let (found, next) = store.sessions_by_prefix(b"an", None, 1_000)?;
    /// assert_eq!((found.len(), &*found[0].key, next), (1, &b"ann"[..], None));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn sessions_by_prefix(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        max: usize,
    ) -> Result<(Vec<SessionKey>, Option<Bytes>), StoreError> {
        let mut wanted = Vec::with_capacity(prefix.len());
        put_escaped(prefix, &mut wanted);
        let (found, next) = self.store.keys_by_prefix(&wanted, from, max)?;
        let found = found.into_iter().map(SessionKey::decode_local).collect::<Result<_, _>>();
        Ok((found.map_err(|source| self.codec_error(source))?, next))
    }

    /// Removes all sessions of a key, and returns how many there were.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// store.put(b"ann", 0, 5_000, row("1"));
    /// store.put(b"ann", 60_000, 61_000, row("2"));
    /// assert_eq!((store.delete_key(b"ann")?, store.delete_key(b"ann")?), (2, 0));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete_key(&mut self, key: &[u8]) -> Result<usize, StoreError> {
        let found = self.find_sessions(key, 0, i64::MAX, Direction::Forward)?;
        let found: Vec<_> = found.map(|row| row.map(|(session, _)| session)).collect::<Result<_, _>>()?;
        for session in &found {
            self.remove(&session.key, session.start, session.end)?;
        }
        Ok(found.len())
    }
}
