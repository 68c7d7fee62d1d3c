//! Count, reduce and aggregate over sessions. A record extends a session, joins several, or begins one.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{Codec, Row, SessionKey};

use super::{Failure, Folded, Lifecycle, Next, Outcome, Receive, Sessions, TaskContext, sessions::Found};
use crate::{
    record::{Data, Record},
    table::Change,
    windows::{Window, Windowed},
};

/// Makes the aggregate before the first record; `None` if the first record makes it.
pub(crate) type SessionInitializer<A> = Arc<dyn Fn() -> Option<A> + Send + Sync>;

/// Makes one aggregate of two: that of earlier sessions, and that of the next session.
pub(crate) type Merger<K, A> = Arc<dyn Fn(&K, A, A) -> Result<A, Box<Failure>> + Send + Sync>;

/// The parts that the inputs of one aggregation of sessions share.
pub(crate) struct SessionAggregate<K, A> {
    pub(crate) sessions: Sessions<K>,
    pub(crate) value: Arc<dyn Codec<A>>,
    pub(crate) initializer: SessionInitializer<A>,
    pub(crate) merger: Merger<K, A>,
    pub(crate) emit_final: bool,
    pub(crate) sends_old: bool,
    pub(crate) next: Next<Windowed<K>, Change<A>>,
}

impl<K: Data, A: Data> SessionAggregate<K, A> {
    /// Adds a record with `add` to its session.
    fn update<R: Folded>(
        &self,
        ctx: &mut TaskContext,
        key: K,
        found: &Found,
        add: impl FnOnce(&K, &mut Option<A>) -> R,
    ) -> Outcome {
        let mut absorbed = Vec::with_capacity(found.absorbed.len());
        for (session, row) in &found.absorbed {
            absorbed.push((session, self.value.decode(row.value.clone())?));
        }
        let mut aggregate = (self.initializer)();
        for (_, stored) in &absorbed {
            let stored = stored.clone();
            aggregate = Some(match aggregate {
                Some(aggregate) => (self.merger)(&key, aggregate, stored)?,
                None => stored,
            });
        }
        add(&key, &mut aggregate).outcome()?;
        // A null aggregate has no row: the next record begins a new session.
        let aggregate = aggregate.filter(|aggregate| !self.value.is_null(aggregate));
        let encoded = aggregate.as_ref().map(|aggregate| self.value.encode(aggregate)).transpose()?.flatten();
        self.sessions.replace(ctx, found, encoded.map(|value| Row { timestamp: found.end, value }))?;
        if self.emit_final {
            return Ok(());
        }
        let mut overwritten = None;
        for (session, stored) in absorbed {
            let old = Some(stored).filter(|_| self.sends_old);
            if found.is_overwritten() {
                overwritten = old;
            } else {
                self.forward(ctx, key.clone(), session.start, session.end, Change::latest(None, old))?;
            }
        }
        self.forward(ctx, key, found.start, found.end, Change::latest(aggregate, overwritten))
    }

    fn forward(&self, ctx: &mut TaskContext, key: K, start: i64, end: i64, change: Change<A>) -> Outcome {
        self.next.forward(ctx, Record::new(Windowed { key, window: Window { start, end } }, change, end))
    }

    fn close(&self, ctx: &mut TaskContext, key: Option<&[u8]>) -> Outcome {
        let emit = |ctx: &mut TaskContext, session: &SessionKey, row: Row| {
            ctx.or_left_out(|ctx| {
                let SessionKey { key, start, end } = session.clone();
                let change = Change::latest(Some(self.value.decode(row.value)?), None);
                self.forward(ctx, self.sessions.key.decode(key)?, start, end, change)
            })
        };
        self.sessions.close(ctx, key, self.emit_final.then_some(emit))
    }
}

impl<K: Data, A: Data> Lifecycle for SessionAggregate<K, A> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(self.sessions.time.save(&self.sessions.store)?)
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        self.sessions.time.erase(ctx, key);
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.sessions.time.tick(ctx)?;
        self.close(ctx, None)
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.close(ctx, None)
    }
}

/// One input of an aggregation of sessions; a cogroup has several.
pub(crate) struct SessionInput<K, V, A, F> {
    pub(crate) core: Rc<RefCell<SessionAggregate<K, A>>>,
    pub(crate) fold: Arc<F>,
    pub(crate) late: Next<K, V>,
}

impl<K: Data, V: Data, A: Data, F, R: Folded> Receive<K, V> for SessionInput<K, V, A, F>
where
    F: Fn(&K, V, &mut Option<A>) -> R,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let core = &mut *self.core.borrow_mut();
        if let Some((Record { key, value, .. }, found)) = core.sessions.find(ctx, record, &self.late)? {
            core.update(ctx, key, &found, |key, aggregate| (self.fold)(key, value, aggregate))?;
            core.close(ctx, Some(core.sessions.last_key()))?;
        }
        Ok(())
    }
}
