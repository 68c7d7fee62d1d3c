//! The order of a session store's records within one commit of its changelog.
//!
//! With at-least-once processing, a crash may cut these records short, and the input comes again. So that no record is
//! lost then, a session is written before those that it absorbed are deleted. So that the repeated input does not begin
//! a closed session anew, the time that closed it comes before its deletion.

use bytes::Bytes;
use tidemill_state::{ByteStore, Row, SessionKey, StoreError};

use crate::operators::saved_time;

/// When a change is sent. The store's notes are sent between the second and the last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Written,
    Absorbed,
    Closed,
}

/// The turns of a store's changes.
pub(super) struct SessionOrder {
    /// Sessions that end before this time are closed and finished.
    finished_below_ms: i64,
}

impl SessionOrder {
    pub(super) fn of(store: &ByteStore) -> Result<Self, StoreError> {
        Ok(Self { finished_below_ms: saved_time(store)?.map_or(i64::MIN, |saved| saved.cursor_ms) })
    }

    pub(super) fn turn(&self, local: &Bytes, row: Option<&Row>) -> Turn {
        match row {
            Some(_) => Turn::Written,
            None => match SessionKey::decode_local(local.clone()) {
                Ok(session) if session.end < self.finished_below_ms => Turn::Closed,
                _ => Turn::Absorbed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_absorbs_comes_first_and_what_closed_comes_last() {
        let order = SessionOrder { finished_below_ms: 50 };
        let row = Row { timestamp: 0, value: Bytes::new() };
        let turn = |end, row| order.turn(&SessionKey { key: "k".into(), end, start: 0 }.encode_local(), row);
        assert_eq!(
            (turn(10, Some(&row)), turn(50, None), turn(49, None)),
            (Turn::Written, Turn::Absorbed, Turn::Closed)
        );
    }
}
