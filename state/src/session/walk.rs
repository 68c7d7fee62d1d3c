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
    earliest_end: i64,
    latest_start: i64,
}

impl SessionWalk {
    /// The sessions of a range of keys, as [`ByteSessionStore::find_sessions`] finds those of one: by key, end and start.
    pub(crate) fn of_keys(
        (first, last): (Bound<&[u8]>, Bound<&[u8]>),
        earliest_end: i64,
        latest_start: i64,
        direction: Direction,
    ) -> Self {
        let before = |key| encode_local(key, 0, 0);
        let behind = |key| encode_local(key, i64::MAX, i64::MAX);
        let from = match first {
            // Of the first key, earlier ends need not be read.
            Bound::Included(key) => Bound::Included(encode_local(key, earliest_end.max(0), 0)),
            Bound::Excluded(key) => Bound::Excluded(behind(key)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let to = match last {
            Bound::Included(key) => Bound::Included(behind(key)),
            Bound::Excluded(key) => Bound::Excluded(before(key)),
            Bound::Unbounded => Bound::Unbounded,
        };
        Self { rows: Walk::new(from, to, direction), earliest_end, latest_start }
    }

    /// The next session.
    pub(crate) fn next(&mut self, store: &ByteSessionStore) -> Option<Result<(SessionKey, Row), StoreError>> {
        loop {
            let row = self.rows.next(&store.store)?;
            let session = row.and_then(|(local, row)| {
                Ok((SessionKey::decode_local(local).map_err(|source| store.codec_error(source))?, row))
            });
            let is_wanted = |at: &SessionKey| at.start <= self.latest_start && at.end >= self.earliest_end;
            if session.as_ref().map_or(true, |(at, _)| is_wanted(at)) {
                return Some(session);
            }
        }
    }
}
