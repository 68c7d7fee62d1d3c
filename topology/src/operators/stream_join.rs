//! Joins two streams within a time difference.
//!
//! Which records are joined depends on the records and their order alone: a pair is, if both join windows are still
//! open when its second record comes; a record comes out alone, if its window closes before it has a partner. So there
//! is one result for each pair, and none both with and without a partner.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{Codec, Row, StoreError, WindowStore};

use super::{
    DropReason, Failure, Lifecycle, Next, Outcome, Receive, TaskContext,
    stream_time::{StreamTime, saved_time},
};
use crate::{
    dsl::JoinWindows,
    record::{Data, Record},
    transport::Headers,
};

/// What becomes of a key's left and right values, of which there is one at least.
pub(crate) type Joiner<K, L, R, V> = Arc<dyn Fn(&K, Option<&L>, Option<&R>) -> Option<V> + Send + Sync>;

/// One side's records, in buckets of time and key: a probe reads those of two buckets at most.
pub(crate) struct JoinSide<V> {
    pub(crate) store: Rc<RefCell<WindowStore>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    /// By how much a partner may be later.
    pub(crate) reach_ms: i64,
    /// Whether a record without a partner is emitted.
    pub(crate) outer: bool,
    /// Tells the sides apart among the unmatched, and orders those of one time.
    pub(crate) tag: u8,
}

/// What does not depend on the side.
pub(crate) struct JoinBase<K, V> {
    time: StreamTime,
    bucket_ms: i64,
    grace_ms: i64,
    key: Arc<dyn Codec<K>>,
    /// Records that have no partner yet, by the end of their join window, side and key.
    unmatched: Option<Rc<RefCell<WindowStore>>>,
    /// Windows that end earlier are closed and dealt with.
    swept_below: i64,
    next: Next<K, V>,
    /// The side's tag and the key.
    scratch: Vec<u8>,
}

impl<K: Data, V: Data> JoinBase<K, V> {
    /// Takes up where the stores left off; `first` is one that always is there.
    pub(crate) fn open(
        windows: JoinWindows,
        key: Arc<dyn Codec<K>>,
        first: &WindowStore,
        unmatched: Option<Rc<RefCell<WindowStore>>>,
        next: Next<K, V>,
    ) -> Result<Self, StoreError> {
        let now = saved_time(first)?.map_or(-1, |(now, _)| now);
        let mut swept_below = 0;
        if let Some(unmatched) = &unmatched {
            let mut unmatched = unmatched.borrow_mut();
            swept_below = saved_time(&unmatched)?.map_or(0, |(_, swept_below)| swept_below);
            // A restored store has what was emitted already.
            unmatched.expire_before(swept_below);
        }
        let time = StreamTime::new(now, windows.idle_ms);
        let (bucket_ms, grace_ms) = (windows.bucket_ms(), windows.grace_ms);
        Ok(Self { time, bucket_ms, grace_ms, key, unmatched, swept_below, next, scratch: Vec::new() })
    }

    fn is_closed(&self, end: i64) -> bool {
        self.time.now > end + self.grace_ms
    }

    fn tag(&mut self, tag: u8) -> &[u8] {
        self.scratch[0] = tag;
        &self.scratch
    }

    /// A record came. Whether it has no key, which nothing can be joined by: then it comes out alone, if its side does
    /// (KIP-962).
    fn begins_without_key<M: Data>(
        &mut self,
        ctx: &mut TaskContext,
        mine: &JoinSide<M>,
        record: &Record<K, M>,
        alone: impl Fn(&K, &M) -> Option<V>,
    ) -> Result<bool, Box<Failure>> {
        self.time.observe(record.timestamp, ctx.idle_ms);
        if !self.key.is_null(&record.key) {
            return Ok(false);
        }
        if mine.outer && !mine.value.is_null(&record.value) {
            self.forward(ctx, &record.key, alone(&record.key, &record.value), record.timestamp, &record.headers)?;
        } else {
            ctx.count_dropped(ctx.node, DropReason::NullKey);
        }
        Ok(true)
    }

    /// A record of one side: joined with what there is of the other, then kept for what will come.
    fn take<M: Data, T: Data>(
        &mut self,
        ctx: &mut TaskContext,
        mine: &JoinSide<M>,
        theirs: &JoinSide<T>,
        record: Record<K, M>,
        join: impl Fn(&K, &M, Option<&T>) -> Option<V>,
    ) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        let Some(bytes) = mine.value.encode(&value)? else {
            ctx.count_dropped(ctx.node, DropReason::NullValue);
            return Ok(());
        };
        let end = timestamp + mine.reach_ms;
        if self.is_closed(end) {
            ctx.count_dropped(ctx.node, DropReason::Late);
            return Ok(());
        }
        self.scratch.clear();
        self.scratch.push(mine.tag);
        self.key.encode_into(&key, &mut self.scratch)?;
        let partners = self.partners(mine, theirs, timestamp)?;
        let alone = partners.is_empty();
        for partner in partners {
            if let (true, Some(unmatched)) = (theirs.outer, self.unmatched.clone()) {
                let end = partner.timestamp + theirs.reach_ms;
                unmatched.borrow_mut().delete_elements(end, self.tag(theirs.tag))?;
            }
            let partner_value = theirs.value.decode(partner.value)?;
            let joined = join(&key, &value, Some(&partner_value));
            self.forward(ctx, &key, joined, timestamp.max(partner.timestamp), &headers)?;
        }
        let row = Row { timestamp, value: bytes };
        if let (true, true, Some(unmatched)) = (alone, mine.outer, self.unmatched.clone()) {
            unmatched.borrow_mut().append(end, self.tag(mine.tag), row.clone())?;
        }
        mine.store.borrow_mut().append(timestamp / self.bucket_ms * self.bucket_ms, &self.scratch[1..], row)?;
        Ok(())
    }

    /// The other side's records that a record is joined with, earliest first, those of one time in the order they came.
    fn partners<M, T>(&self, mine: &JoinSide<M>, theirs: &JoinSide<T>, timestamp: i64) -> Result<Vec<Row>, StoreError> {
        let (from, to) = ((timestamp - theirs.reach_ms).max(0), timestamp + mine.reach_ms);
        let store = theirs.store.borrow();
        let mut partners = Vec::new();
        for bucket in from / self.bucket_ms..=to / self.bucket_ms {
            let rows = store.elements(bucket * self.bucket_ms, &self.scratch[1..])?;
            let is_partner =
                |row: &Row| (from..=to).contains(&row.timestamp) && !self.is_closed(row.timestamp + theirs.reach_ms);
            partners.extend(rows.into_iter().filter(is_partner));
        }
        partners.sort_by_key(|row| row.timestamp);
        Ok(partners)
    }

    fn forward(&self, ctx: &mut TaskContext, key: &K, value: Option<V>, timestamp: i64, headers: &Headers) -> Outcome {
        let Some(value) = value else { return Ok(()) };
        self.next.forward(ctx, Record { key: key.clone(), value, timestamp, headers: headers.clone() })
    }
}

/// What both inputs share.
pub(crate) struct StreamJoin<K, L, R, V> {
    pub(crate) base: JoinBase<K, V>,
    pub(crate) left: JoinSide<L>,
    pub(crate) right: JoinSide<R>,
    pub(crate) join: Joiner<K, L, R, V>,
}

impl<K: Data, L: Data, R: Data, V: Data> StreamJoin<K, L, R, V> {
    /// Emits the records whose windows closed before a partner came, and drops what nobody can join any more.
    fn pass_time(&mut self, ctx: &mut TaskContext) -> Outcome {
        let closed_below = self.base.time.now - self.base.grace_ms;
        if closed_below <= self.base.swept_below {
            return Ok(());
        }
        if let Some(unmatched) = self.base.unmatched.clone() {
            if unmatched.borrow().first_start_at_least() < closed_below {
                self.emit_unmatched(ctx, &unmatched.borrow(), closed_below)?;
            }
            unmatched.borrow_mut().expire_before(closed_below);
        }
        self.base.swept_below = closed_below;
        self.base.time.changed = true;
        expire(&self.left, self.base.time.now, self.base.bucket_ms);
        expire(&self.right, self.base.time.now, self.base.bucket_ms);
        Ok(())
    }

    fn emit_unmatched(&self, ctx: &mut TaskContext, unmatched: &WindowStore, closed_below: i64) -> Outcome {
        let Self { base, left, right, join } = self;
        for row in unmatched.scan(base.swept_below, closed_below)? {
            let (at, Row { timestamp, value }) = row?;
            let key = base.key.decode(at.key.slice(1..))?;
            let joined = if at.key.first() == Some(&left.tag) {
                join(&key, Some(&left.value.decode(value)?), None)
            } else {
                join(&key, None, Some(&right.value.decode(value)?))
            };
            if let Some(value) = joined {
                base.next.forward_result(ctx, Record { key, value, timestamp, headers: Headers::new() })?;
            }
        }
        Ok(())
    }
}

/// Drops a side's buckets of which no record has an open window.
fn expire<V>(side: &JoinSide<V>, now: i64, bucket_ms: i64) {
    let mut store = side.store.borrow_mut();
    let kept_from = (now - store.retention_ms() + 1).max(0);
    store.expire_before((kept_from + bucket_ms - 1) / bucket_ms * bucket_ms);
}

impl<K: Data, L: Data, R: Data, V: Data> Lifecycle for StreamJoin<K, L, R, V> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        let JoinBase { time, unmatched, swept_below, .. } = &mut self.base;
        let sides = [&self.left.store, &self.right.store].map(|store| (&**store, i64::MAX));
        time.save(sides.into_iter().chain(unmatched.as_deref().map(|unmatched| (unmatched, *swept_below))));
        Ok(())
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.base.time.tick(ctx.idle_ms);
        self.pass_time(ctx)
    }
}

/// The left input.
pub(crate) struct JoinLeft<K, L, R, V>(pub(crate) Rc<RefCell<StreamJoin<K, L, R, V>>>);

impl<K: Data, L: Data, R: Data, V: Data> Receive<K, L> for JoinLeft<K, L, R, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, L>) -> Outcome {
        let core = &mut *self.0.borrow_mut();
        let StreamJoin { base, left, join, .. } = core;
        if base.begins_without_key(ctx, left, &record, |key, value| join(key, Some(value), None))? {
            return Ok(());
        }
        core.pass_time(ctx)?;
        let StreamJoin { base, left, right, join } = core;
        base.take(ctx, left, right, record, |key, mine, theirs| join(key, Some(mine), theirs))
    }
}

/// The right input.
pub(crate) struct JoinRight<K, L, R, V>(pub(crate) Rc<RefCell<StreamJoin<K, L, R, V>>>);

impl<K: Data, L: Data, R: Data, V: Data> Receive<K, R> for JoinRight<K, L, R, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, R>) -> Outcome {
        let core = &mut *self.0.borrow_mut();
        let StreamJoin { base, right, join, .. } = core;
        if base.begins_without_key(ctx, right, &record, |key, value| join(key, None, Some(value)))? {
            return Ok(());
        }
        core.pass_time(ctx)?;
        let StreamJoin { base, left, right, join } = core;
        base.take(ctx, right, left, record, |key, mine, theirs| join(key, theirs, Some(mine)))
    }
}
