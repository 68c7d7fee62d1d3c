//! Walks over sessions that keep their place, not the store: the store may change between two sessions.

use std::ops::{Bound, RangeInclusive};

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
    /// The sessions of the keys between two keys, both inclusive, as [`ByteSessionStore::find_sessions`] finds those of
    /// one: by key, end and start.
    pub(crate) fn of_keys<T: AsRef<[u8]>>(
        keys: RangeInclusive<T>,
        earliest_end: i64,
        latest_start: i64,
        direction: Direction,
    ) -> Self {
        let (first, last) = (keys.start().as_ref(), keys.end().as_ref());
        // Of the first key, earlier ends need not be read.
        let (from, to) = (encode_local(first, earliest_end.max(0), 0), encode_local(last, i64::MAX, i64::MAX));
        Self { rows: Walk::new(Bound::Included(from), Bound::Included(to), direction), earliest_end, latest_start }
    }

    /// All sessions, by key, end and start.
    pub(crate) fn of_all() -> Self {
        let rows = Walk::new(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        Self { rows, earliest_end: 0, latest_start: i64::MAX }
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
