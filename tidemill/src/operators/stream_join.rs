//! Joins two streams within a time difference.
//!
//! The result depends only on the records and their order. Two records are joined if both join windows are still open
//! when the second record comes. A record is emitted unmatched if its window closes before it has a partner. Each pair
//! has therefore one result, and no record is emitted both unmatched and with a partner.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{ByteWindowStore, Codec, Row, StoreError};

use super::{
    DropReason, Failure, Lifecycle, Next, Outcome, Receive, TaskContext,
    join_time::{JoinTime, Turn},
    key_times::KeyTimes,
    stream_time::StreamTime,
};
use crate::{
    record::{Data, Record},
    transport::Headers,
    windows::JoinWindows,
};

/// Joins a key's left and right values. At least one of the values is present.
pub(crate) type Joiner<K, L, R, V> = Arc<dyn Fn(&K, Option<&L>, Option<&R>) -> PairValue<V> + Send + Sync>;

/// The value of a pair, or of a record without a partner. `None` if it has none.
pub(crate) type PairValue<V> = Result<Option<V>, Box<Failure>>;

/// One side's records, in buckets of time and key. A lookup reads at most two buckets.
pub(crate) struct JoinSide<V> {
    pub(crate) store: Rc<RefCell<ByteWindowStore>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    /// How much later than the record its partner may be, in milliseconds.
    pub(crate) reach_ms: i64,
    /// Whether a record without a partner is emitted.
    pub(crate) outer: bool,
    /// Distinguishes the sides among the unmatched records, and orders records whose windows end together.
    pub(crate) tag: u8,
}

/// The parts that do not depend on the side.
pub(crate) struct JoinBase<K, V> {
    time: JoinTime,
    bucket_ms: i64,
    grace_ms: i64,
    key: Arc<dyn Codec<K>>,
    /// Records that have no partner yet, by the end of their join window, side and key.
    unmatched: Option<Rc<RefCell<ByteWindowStore>>>,
    next: Next<K, V>,
    /// The time of the current record: the partition's time, or the time of its key.
    now_ms: i64,
    /// The side's tag and the key.
    scratch: Vec<u8>,
}

impl<K: Data, V: Data> JoinBase<K, V> {
    pub(crate) fn new(
        time: JoinTime,
        windows: JoinWindows,
        key: Arc<dyn Codec<K>>,
        unmatched: Option<Rc<RefCell<ByteWindowStore>>>,
        next: Next<K, V>,
    ) -> Self {
        let (bucket_ms, grace_ms) = (windows.bucket_ms(), windows.grace_ms);
        Self { time, bucket_ms, grace_ms, key, unmatched, next, now_ms: -1, scratch: Vec::new() }
    }

    fn is_closed(&self, end: i64) -> bool {
        self.now_ms > end + self.grace_ms
    }

    /// Handles the start of a record, and returns whether it has no key. Such a record cannot be joined: it is emitted
    /// unmatched if its side emits unmatched records (KIP-962).
    fn begins_without_key<M: Data>(
        &mut self,
        ctx: &mut TaskContext,
        mine: &JoinSide<M>,
        record: &Record<K, M>,
        alone: impl Fn(&K, &M) -> PairValue<V>,
    ) -> Result<bool, Box<Failure>> {
        let keyless = self.key.is_null(&record.key);
        self.scratch.clear();
        self.scratch.push(mine.tag);
        if !keyless {
            self.key.encode_into(&record.key, &mut self.scratch)?;
        }
        self.now_ms = self.time.observe(ctx, (!keyless).then_some(&self.scratch[1..]), record.timestamp)?;
        if !keyless {
            return Ok(false);
        }
        if mine.outer && !mine.value.is_null(&record.value) {
            self.forward(ctx, &record.key, alone(&record.key, &record.value)?, record.timestamp, &record.headers)?;
        } else {
            ctx.count_dropped(ctx.node, DropReason::NullKey);
        }
        Ok(true)
    }

    /// Joins a record with the other side's stored records, then stores it for later records.
    fn take<M: Data, T: Data>(
        &mut self,
        ctx: &mut TaskContext,
        mine: &JoinSide<M>,
        theirs: &JoinSide<T>,
        record: Record<K, M>,
        join: impl Fn(&K, &M, Option<&T>) -> PairValue<V>,
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
        let partners = self.partners(mine, theirs, timestamp)?;
        let alone = partners.is_empty();
        for partner in partners {
            if theirs.outer {
                self.found_partner(ctx, theirs, partner.timestamp + theirs.reach_ms)?;
            }
            let later = timestamp.max(partner.timestamp);
            // If a stored value does not decode, only its pair is left out. The current record is not at fault.
            let mut decoded = None;
            ctx.or_left_out(|_| {
                decoded = Some(theirs.value.decode(partner.value)?);
                Ok(())
            })?;
            if let Some(partner) = &decoded {
                self.forward(ctx, &key, join(&key, &value, Some(partner))?, later, &headers)?;
            }
        }
        let row = Row { timestamp, value: bytes };
        if alone && mine.outer {
            self.wait_for_partner(ctx, mine, end, row.clone())?;
        }
        let bucket = timestamp / self.bucket_ms * self.bucket_ms;
        let mut store = mine.store.borrow_mut();
        let key = &self.scratch[1..];
        if self.time.fill(ctx, key, Turn::expires(mine.tag, bucket, store.retention_ms()), store.epoch()) {
            store.append_first(bucket, key, row);
        } else {
            store.append(bucket, key, row)?;
        }
        Ok(())
    }

    /// Stores a record that has no partner yet. It waits until its join window closes.
    fn wait_for_partner<M>(&mut self, ctx: &mut TaskContext, mine: &JoinSide<M>, end: i64, row: Row) -> Outcome {
        let Some(unmatched) = &self.unmatched else { return Ok(()) };
        let mut unmatched = unmatched.borrow_mut();
        self.scratch[0] = mine.tag;
        let turn = Turn::unmatched(mine.tag, end, self.grace_ms);
        if self.time.fill(ctx, &self.scratch[1..], turn, unmatched.epoch()) {
            unmatched.append_first(end, &self.scratch, row);
        } else {
            unmatched.append(end, &self.scratch, row)?;
        }
        Ok(())
    }

    /// Removes a record of the other side from the unmatched records, because it now has a partner.
    fn found_partner<T>(&mut self, ctx: &mut TaskContext, theirs: &JoinSide<T>, end: i64) -> Outcome {
        let Some(unmatched) = &self.unmatched else { return Ok(()) };
        let mut unmatched = unmatched.borrow_mut();
        self.scratch[0] = theirs.tag;
        match &self.time {
            JoinTime::Partition(_) => drop(unmatched.delete_elements(end, &self.scratch)?),
            JoinTime::Key(times) => {
                let turn = Turn::unmatched(theirs.tag, end, self.grace_ms);
                if let Some(live) = times.give_up(ctx, &self.scratch[1..], turn.due_ms, turn.part, turn.start) {
                    let is_new = unmatched.epoch() == live.epoch;
                    unmatched.remove(end, &self.scratch, is_new)?;
                }
            }
        }
        Ok(())
    }

    /// The partners of a record, earliest first. Partners with equal timestamps come in the order of arrival.
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

/// The parts that both inputs share.
pub(crate) struct StreamJoin<K, L, R, V> {
    pub(crate) base: JoinBase<K, V>,
    pub(crate) left: JoinSide<L>,
    pub(crate) right: JoinSide<R>,
    pub(crate) join: Joiner<K, L, R, V>,
}

impl<K: Data, L: Data, R: Data, V: Data> StreamJoin<K, L, R, V> {
    /// Emits the records whose windows closed without a partner, and drops rows that can no longer be joined.
    fn pass_time(&self, ctx: &mut TaskContext, key: Option<&[u8]>) -> Outcome {
        match (&self.base.time, key) {
            (JoinTime::Partition(time), _) => self.pass_partition_time(ctx, time),
            (JoinTime::Key(times), Some(key)) => self.pass_key_time(ctx, times, key),
            (JoinTime::Key(times), None) => times.go_on(ctx, |ctx, key| self.pass_key_time(ctx, times, key)),
        }
    }

    fn pass_partition_time(&self, ctx: &mut TaskContext, time: &StreamTime) -> Outcome {
        let closed_below = time.now_ms() - self.base.grace_ms;
        if closed_below <= time.cursor_ms() {
            return Ok(());
        }
        if let Some(unmatched) = &self.base.unmatched {
            let emit = |ctx: &mut TaskContext, tagged, row| self.emit_alone(ctx, tagged, row);
            if !time.finish_before(ctx, unmatched, closed_below, emit)? {
                return Ok(());
            }
        }
        time.move_cursor(ctx, closed_below);
        expire(ctx, time, &self.left, self.base.bucket_ms)?;
        expire(ctx, time, &self.right, self.base.bucket_ms)?;
        Ok(())
    }

    /// Handles the due rows of one key.
    fn pass_key_time(&self, ctx: &mut TaskContext, times: &KeyTimes, key: &[u8]) -> Outcome {
        while let Some(live) = times.next_due(ctx, key) {
            match Turn::tag_of_unmatched(live) {
                Some(tag) => {
                    let Some(unmatched) = &self.base.unmatched else { continue };
                    let tagged = Bytes::from([&[tag], key].concat());
                    let rows = unmatched.borrow().elements(live.start, &tagged)?;
                    for row in rows {
                        self.emit_alone(ctx, tagged.clone(), row)?;
                    }
                    let mut unmatched = unmatched.borrow_mut();
                    let is_new = unmatched.epoch() == live.epoch;
                    unmatched.remove(live.start, &tagged, is_new)?;
                }
                None => {
                    let store = if live.part == self.left.tag { &self.left.store } else { &self.right.store };
                    let mut store = store.borrow_mut();
                    let is_new = store.epoch() == live.epoch;
                    store.remove(live.start, key, is_new)?;
                }
            }
            if ctx.is_full() {
                times.put_off(key);
                ctx.unfinished = true;
                break;
            }
        }
        Ok(())
    }

    /// Emits an unmatched record.
    fn emit_alone(&self, ctx: &mut TaskContext, tagged: Bytes, row: Row) -> Outcome {
        let Self { base, left, right, join } = self;
        ctx.or_left_out(|ctx| {
            let Row { timestamp, value } = row;
            let key = base.key.decode(tagged.slice(1..))?;
            let joined = if tagged.first() == Some(&left.tag) {
                join(&key, Some(&left.value.decode(value)?), None)?
            } else {
                join(&key, None, Some(&right.value.decode(value)?))?
            };
            base.forward(ctx, &key, joined, timestamp, &Headers::new())
        })
    }
}

/// Drops those of a side's buckets in which no record has an open window.
fn expire<V>(ctx: &mut TaskContext, time: &StreamTime, side: &JoinSide<V>, bucket_ms: i64) -> Result<(), StoreError> {
    let mut store = side.store.borrow_mut();
    let kept_from = (time.now_ms() - store.retention_ms() + 1).max(0);
    time.expire(ctx, &mut store, (kept_from + bucket_ms - 1) / bucket_ms * bucket_ms)
}

impl<K: Data, L: Data, R: Data, V: Data> Lifecycle for StreamJoin<K, L, R, V> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        let sides = [&*self.left.store, &*self.right.store];
        let unmatched = self.base.unmatched.as_deref();
        match &self.base.time {
            JoinTime::Partition(time) => {
                let sides = sides.map(|store| (store, i64::MAX)).into_iter();
                time.save(sides.chain(unmatched.map(|unmatched| (unmatched, time.cursor_ms()))));
            }
            JoinTime::Key(times) => times.save(sides.into_iter().chain(unmatched))?,
        }
        Ok(())
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        if let JoinTime::Key(times) = &self.base.time {
            times.erase(ctx, key);
        }
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        match &self.base.time {
            JoinTime::Partition(time) => time.tick(ctx),
            JoinTime::Key(times) => times.tick(ctx)?,
        }
        self.pass_time(ctx, None)
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.pass_time(ctx, None)
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
        core.pass_time(ctx, Some(&core.base.scratch[1..]))?;
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
        core.pass_time(ctx, Some(&core.base.scratch[1..]))?;
        let StreamJoin { base, left, right, join } = core;
        base.take(ctx, right, left, record, |key, mine, theirs| join(key, theirs, Some(mine)))
    }
}
