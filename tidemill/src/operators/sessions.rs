//! Sessions of an operator: which of them a record belongs to, and what happens when they close.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{ByteSessionStore, Codec, Direction, Row, SessionKey, StoreError};

use super::{DropReason, Failure, Next, Outcome, SessionClock, TaskContext};
use crate::record::{Data, Record};

/// The stored sessions of one operator.
pub(crate) struct Sessions<K> {
    pub(crate) clock: SessionClock,
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

impl Found {
    /// Whether the only stored session is this session, and the record is all of it. It is then overwritten.
    pub(crate) fn is_overwritten(&self) -> bool {
        self.start == self.end && !self.absorbed.is_empty()
    }
}

impl<K: Data> Sessions<K> {
    pub(crate) fn new(clock: SessionClock, store: Rc<RefCell<ByteSessionStore>>, key: Arc<dyn Codec<K>>) -> Self {
        Self { clock, store, key, scratch: Vec::new() }
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
    ) -> Result<Option<(Record<K, V>, Found)>, Box<Failure>> {
        // This comes before the clock: a record that belongs to no session must not advance the time.
        if ctx.drops_null(&*self.key, &record.key) {
            return Ok(None);
        }
        self.scratch.clear();
        self.key.encode_into(&record.key, &mut self.scratch)?;
        let (at, gap_ms) = (record.timestamp, self.clock.windows.gap_ms);
        self.clock.observe(ctx, at);
        let open_from_ms = self.clock.closed_below_ms();
        // The result of a closed session is final. A record near it begins a new session.
        let earliest_end = at.saturating_sub(gap_ms).max(open_from_ms);
        let absorbed = {
            let store = self.store.borrow();
            let near =
                store.find_sessions(&self.scratch, earliest_end, at.saturating_add(gap_ms), Direction::Forward)?;
            near.collect::<Result<Vec<_>, _>>()?
        };
        let start = absorbed.iter().map(|(session, _)| session.start).fold(at, i64::min);
        let end = absorbed.iter().map(|(session, _)| session.end).fold(at, i64::max);
        if end >= open_from_ms {
            return Ok(Some((record, Found { start, end, absorbed })));
        }
        ctx.count_dropped(ctx.node, DropReason::Late);
        ctx.late_by_ms = Some(self.clock.now_ms() - at);
        let forwarded = late.forward(ctx, record);
        ctx.late_by_ms = None;
        forwarded.map(|()| None)
    }

    /// Writes the session of the last record in place of those that it absorbs. Without a value, they are only removed.
    pub(crate) fn replace(&self, found: &Found, row: Option<Row>) -> Result<(), StoreError> {
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

    /// Finishes closed sessions with `close`, by end, start and key. Then removes those past their retention.
    pub(crate) fn close(
        &self,
        ctx: &mut TaskContext,
        mut close: impl FnMut(&mut TaskContext, &SessionKey, Row) -> Outcome,
    ) -> Outcome {
        let Self { clock, store, .. } = self;
        loop {
            let closed = clock.next_closed(&mut store.borrow_mut())?;
            let Some(session) = closed else { break };
            let row = store.borrow().get(&session.key, session.start, session.end)?;
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
        self.expire(ctx)
    }

    fn expire(&self, ctx: &mut TaskContext) -> Outcome {
        let Self { clock, store, .. } = self;
        let mut store = store.borrow_mut();
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
