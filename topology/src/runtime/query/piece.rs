//! A store's rows, as many at a time as a thread may give away without being missed.

use std::ops::Bound;

use bytes::Bytes;
use tidemill_state::{Direction, Store, StoreError};

use crate::operators::StoreHandle;

/// Rows that are looked at.
const LOOKED_AT: usize = 4_096;

/// Bytes that are handed over.
const BYTES: usize = 1 << 20;

/// Which stores answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    KeyValue,
    Window,
}

/// Which rows of a store: in the order of their keys' bytes.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) kind: Kind,
    pub(super) from: Bound<Bytes>,
    pub(super) to: Bound<Bytes>,
    /// At most so many.
    pub(super) limit: usize,
    /// Whether their values matter.
    pub(super) values: bool,
    /// Of window stores: the rows of this key alone.
    pub(super) key: Option<Bytes>,
}

/// Keys and values, and the last key that was looked at, if there are more behind it.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) rows: Vec<(Bytes, Bytes)>,
    pub(super) more_after: Option<Bytes>,
}

impl Rows {
    /// Reads some of them; nothing, of a store of another kind.
    pub(super) fn read(&self, handle: &StoreHandle) -> Option<Result<Piece, StoreError>> {
        match (handle, self.kind) {
            (StoreHandle::KeyValue(store), Kind::KeyValue) => Some(self.read_of(&store.borrow())),
            (StoreHandle::Window(store), Kind::Window) => Some(self.read_of(store.borrow().store())),
            _ => None,
        }
    }

    fn read_of(&self, store: &Store) -> Result<Piece, StoreError> {
        let (mut piece, mut bytes, mut last) = (Piece::default(), 0, Bytes::new());
        let (from, to) = (self.from.as_ref().map(|key| &**key), self.to.as_ref().map(|key| &**key));
        for (looked_at, row) in store.scan(from, to, Direction::Forward)?.enumerate() {
            if looked_at == LOOKED_AT || bytes >= BYTES || piece.rows.len() >= self.limit {
                piece.more_after = Some(last);
                break;
            }
            let (key, row) = row?;
            last = key.clone();
            if self.key.as_ref().is_none_or(|wanted| of_window(&key).as_ref() == Some(wanted)) {
                let value = if self.values { row.value } else { Bytes::new() };
                bytes += key.len() + value.len();
                piece.rows.push((key, value));
            }
        }
        Ok(piece)
    }
}

/// The record's key in a window's row.
fn of_window(row: &Bytes) -> Option<Bytes> {
    tidemill_state::WindowKey::decode_local(row.clone()).ok().map(|window| window.key)
}
