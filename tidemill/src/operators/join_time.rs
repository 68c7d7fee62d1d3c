//! Which time closes the windows of a join: the partition's time, or each key's own time.

use crate::windows::JoinWindows;
use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteStore, ByteWindowStore, StoreError};

use super::{
    JoinSide, TaskContext,
    key_times::{KeyTimes, Live, LiveOf},
    stream_time::{StreamTime, saved_time},
};

/// The time of a join of two streams.
pub(crate) enum JoinTime {
    /// All keys of the partition share one time. Windows that end before its cursor are closed and finished.
    Partition(StreamTime),
    /// Each key has its own time.
    Key(KeyTimes),
}

/// When rows of a key are due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) due_ms: i64,
    pub(crate) part: u8,
    pub(crate) start: i64,
}

/// Added to a side's tag for records that wait for a partner.
const UNMATCHED: u8 = 2;

impl Turn {
    /// A side's bucket is dropped when none of its records has an open window.
    pub(crate) fn expires(tag: u8, bucket: i64, retention_ms: i64) -> Self {
        Self { due_ms: bucket.saturating_add(retention_ms), part: tag, start: bucket }
    }

    /// An unmatched record is emitted when time has passed the end of its window by more than the grace period.
    pub(crate) fn unmatched(tag: u8, end: i64, grace_ms: i64) -> Self {
        Self { due_ms: end.saturating_add(grace_ms).saturating_add(1), part: tag + UNMATCHED, start: end }
    }

    /// The side of the unmatched record if this entry is one.
    pub(crate) fn tag_of_unmatched(live: Live) -> Option<u8> {
        live.part.checked_sub(UNMATCHED)
    }

    fn live(self, epoch: u64) -> Live {
        Live { due_ms: self.due_ms, part: self.part, start: self.start, epoch }
    }
}

impl JoinTime {
    /// Continues from the stores' contents. Other nodes may also use the store of times.
    pub(crate) fn open<L, R>(
        windows: JoinWindows,
        left: &JoinSide<L>,
        right: &JoinSide<R>,
        unmatched: Option<&Rc<RefCell<ByteWindowStore>>>,
        times: Option<(Rc<RefCell<ByteStore>>, bool)>,
    ) -> Result<Self, StoreError> {
        let (left_rows, right_rows) = (left.store.borrow(), right.store.borrow());
        let Some((times, shared)) = times else {
            let now_ms = saved_time(left_rows.store())?.map_or(-1, |saved| saved.now_ms);
            let mut swept_below_ms = 0;
            if let Some(unmatched) = unmatched {
                let mut unmatched = unmatched.borrow_mut();
                swept_below_ms = saved_time(unmatched.store())?.map_or(0, |saved| saved.cursor_ms);
                // A restored store may still contain records that were already emitted.
                unmatched.expire_before(swept_below_ms);
            }
            return Ok(Self::Partition(StreamTime::new(now_ms, swept_below_ms, windows.idle_ms)));
        };
        let bucket = |tag: u8, retention_ms: i64| {
            move |start: i64, key: &Bytes| (key.clone(), Turn::expires(tag, start, retention_ms).live(0))
        };
        let left_bucket = bucket(left.tag, left_rows.retention_ms());
        let right_bucket = bucket(right.tag, right_rows.retention_ms());
        let alone = |end: i64, tagged: &Bytes| {
            let tag = tagged.first().copied().unwrap_or_default();
            (tagged.slice(1.min(tagged.len())..), Turn::unmatched(tag, end, windows.grace_ms).live(0))
        };
        let kept_ms = left_rows.retention_ms().max(right_rows.retention_ms());
        let unmatched = unmatched.map(|unmatched| unmatched.borrow());
        let mut parts: Vec<(&ByteWindowStore, LiveOf<'_>)> =
            vec![(&left_rows, &left_bucket), (&right_rows, &right_bucket)];
        if let Some(unmatched) = &unmatched {
            parts.push((unmatched, &alone));
        }
        Ok(Self::Key(KeyTimes::open(times, shared, windows.idle_ms, kept_ms, parts)?))
    }

    /// Advances the time by a record, with or without a key, and returns the time of the partition or of the key.
    pub(crate) fn observe(&self, ctx: &mut TaskContext, key: Option<&[u8]>, timestamp: i64) -> Result<i64, StoreError> {
        match (self, key) {
            (Self::Partition(time), _) => {
                time.observe(ctx, timestamp);
                Ok(time.now_ms())
            }
            (Self::Key(times), Some(key)) => times.observe(ctx, key, timestamp),
            (Self::Key(_), None) => Ok(timestamp),
        }
    }

    /// Registers rows of a key that are written now. Returns true if they are known to be the first rows there.
    pub(crate) fn fill(&self, ctx: &mut TaskContext, key: &[u8], turn: Turn, epoch: u64) -> bool {
        let Self::Key(times) = self else { return false };
        let is_first = !times.has(key, turn.due_ms, turn.part, turn.start);
        if is_first {
            times.wait_for(ctx, key, turn.live(epoch));
        }
        is_first
    }
}
