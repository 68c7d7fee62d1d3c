//! Sessions of an operator: which of them a record belongs to, and what happens when they close.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{ByteSessionStore, Codec, Direction, Row, SessionKey};

use super::{DropReason, Failure, Next, Outcome, SessionClock, SessionTime, TaskContext};
use crate::record::{Data, Record};

/// The stored sessions of one operator.
pub(crate) struct Sessions<K> {
    pub(crate) time: SessionTime,
    pub(crate) store: Rc<RefCell<ByteSessionStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    /// The encoded key of the last record.
    scratch: Vec<u8>,
}

/// The session of a record.
pub(crate) struct Found {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The stored sessions that the record belongs to, by end. They become this session.
    pub(crate) absorbed: Vec<(SessionKey, Row)>,
}

/// A record that is not late, and its session.
pub(crate) type Accepted<K, V> = (Record<K, V>, Found);

impl Found {
    /// Whether the stored session has no other timestamp than the record. It is then overwritten.
    pub(crate) fn is_overwritten(&self) -> bool {
        self.start == self.end && !self.absorbed.is_empty()
    }
}

impl<K: Data> Sessions<K> {
    pub(crate) fn new(time: SessionTime, store: Rc<RefCell<ByteSessionStore>>, key: Arc<dyn Codec<K>>) -> Self {
        Self { time, store, key, scratch: Vec::new() }
    }

    /// The encoded key of the last record.
    pub(crate) fn last_key(&self) -> &[u8] {
        &self.scratch
    }

    /// Advances the time by a record, and finds its session. `None` if the record has no key, or is late: it then
    /// belongs to no open session, and goes to `late`.
    pub(crate) fn find<V: Data>(
        &mut self,
        ctx: &mut TaskContext,
        record: Record<K, V>,
        late: &Next<K, V>,
    ) -> Result<Option<Accepted<K, V>>, Box<Failure>> {
        // This comes before the clock: a record that belongs to no session must not advance the time.
        if ctx.drops_null(&*self.key, &record.key) {
            return Ok(None);
        }
        self.scratch.clear();
        self.key.encode_into(&record.key, &mut self.scratch)?;
        let (at, gap_ms) = (record.timestamp, self.time.gap_ms());
        let observed = self.time.observe(ctx, &self.scratch, at)?;
        // The result of a closed session is final. A record near it begins a new session.
        let earliest_end = at.saturating_sub(gap_ms).max(observed.open_from_ms);
        let absorbed = {
            let store = self.store.borrow();
            let near =
                store.find_sessions(&self.scratch, earliest_end, at.saturating_add(gap_ms), Direction::Forward)?;
            near.collect::<Result<Vec<_>, _>>()?
        };
        let start = absorbed.iter().map(|(session, _)| session.start).fold(at, i64::min);
        let end = absorbed.iter().map(|(session, _)| session.end).fold(at, i64::max);
        if end >= observed.open_from_ms {
            return Ok(Some((record, Found { start, end, absorbed })));
        }
        ctx.count_dropped(ctx.node, DropReason::Late);
        ctx.late_by_ms = Some(observed.now_ms - at);
        let forwarded = late.forward(ctx, record);
        ctx.late_by_ms = None;
        forwarded.map(|()| None)
    }

    /// Writes the session of the last record in place of those that it absorbs. Without a value, they are only removed.
    pub(crate) fn replace(&self, ctx: &mut TaskContext, found: &Found, row: Option<Row>) -> Outcome {
        self.time.replaced(ctx, &self.scratch, found, row.is_some());
        let mut store = self.store.borrow_mut();
        let same = |session: &SessionKey| (session.start, session.end) == (found.start, found.end) && row.is_some();
        for (session, _) in found.absorbed.iter().filter(|(session, _)| !same(session)) {
            store.remove(&session.key, session.start, session.end)?;
        }
        if let Some(row) = row {
            store.put(&self.scratch, found.start, found.end, row);
        }
        Ok(())
    }

    /// Finishes the sessions that the time of the key, or of the partition, has closed. Without `close`, nothing is to be
    /// done with them. Then removes those past their retention.
    pub(crate) fn close(
        &self,
        ctx: &mut TaskContext,
        key: Option<&[u8]>,
        close: Option<impl FnMut(&mut TaskContext, &SessionKey, Row) -> Outcome>,
    ) -> Outcome {
        match (&self.time, close) {
            (SessionTime::Partition(clock), Some(close)) => self.close_by_end(ctx, clock, close),
            (SessionTime::Partition(clock), None) => {
                clock.finish_closed(ctx);
                self.expire(ctx, clock)
            }
            (SessionTime::Key(sessions), Some(close)) => sessions.close(ctx, key, &self.store, close),
            (SessionTime::Key(sessions), None) => sessions.close(ctx, key, &self.store, |_, _, _| Ok(())),
        }
    }

    fn close_by_end(
        &self,
        ctx: &mut TaskContext,
        clock: &SessionClock,
        mut close: impl FnMut(&mut TaskContext, &SessionKey, Row) -> Outcome,
    ) -> Outcome {
        loop {
            let closed = clock.next_closed(&mut self.store.borrow_mut())?;
            let Some(session) = closed else { break };
            let row = self.store.borrow().get(&session.key, session.start, session.end)?;
            if let Some(row) = row {
                close(ctx, &session, row)?;
            }
            clock.finish(ctx, session);
            if ctx.is_full() {
                ctx.unfinished = true;
                return Ok(());
            }
        }
        clock.finish_closed(ctx);
        self.expire(ctx, clock)
    }

    fn expire(&self, ctx: &mut TaskContext, clock: &SessionClock) -> Outcome {
        let mut store = self.store.borrow_mut();
        let expired_below_ms = clock.expired_below_ms(store.retention_ms());
        while let Some(session) = store.next_by_end(i64::MIN, expired_below_ms, None)? {
            clock.mark_changed(ctx);
            store.remove(&session.key, session.start, session.end)?;
            ctx.results += 1;
            if ctx.is_full() {
                ctx.unfinished = true;
                break;
            }
        }
        Ok(())
    }
}
