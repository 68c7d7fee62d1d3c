//! Walks over sessions that keep their place, not the store: the store may change between two sessions.

use std::ops::Bound;

use super::ByteSessionStore;
use crate::session_key::encode_local;
use crate::walk::Walk;
use crate::{Direction, Row, SessionKey, StoreError};

/// Sessions, one after the other.
#[derive(Debug)]
pub(crate) struct SessionWalk {
    rows: Walk,
    latest_start: i64,
}

impl SessionWalk {
    /// The sessions of a key, as [`ByteSessionStore::find_sessions`] finds them.
    pub(crate) fn of_key(key: &[u8], earliest_end: i64, latest_start: i64, direction: Direction) -> Self {
        let (from, to) = (encode_local(key, earliest_end.max(0), 0), encode_local(key, i64::MAX, i64::MAX));
        Self { rows: Walk::new(Bound::Included(from), Bound::Included(to), direction), latest_start }
    }

    /// All sessions, by key, end and start.
    pub(crate) fn of_all() -> Self {
        let rows = Walk::new(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        Self { rows, latest_start: i64::MAX }
    }

    /// The next session.
    pub(crate) fn next(&mut self, store: &ByteSessionStore) -> Option<Result<(SessionKey, Row), StoreError>> {
        loop {
            let row = self.rows.next(&store.store)?;
            let session = row.and_then(|(local, row)| {
                Ok((SessionKey::decode_local(local).map_err(|source| store.codec_error(source))?, row))
            });
            if session.as_ref().map_or(true, |(at, _)| at.start <= self.latest_start) {
                return Some(session);
            }
        }
    }
}
