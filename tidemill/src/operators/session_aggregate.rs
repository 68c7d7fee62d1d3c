//! Count, reduce and aggregate over sessions. A record extends a session, joins several, or begins one.

use std::sync::Arc;

use tidemill_state::{Codec, Row, SessionKey};

use super::{Failure, Lifecycle, Next, Outcome, Receive, Sessions, TaskContext, sessions::Found};
use crate::{
    record::{Data, Record},
    table::Change,
    windows::{Window, Windowed},
};

/// How aggregates of sessions begin, grow and merge.
pub(crate) struct SessionFold<I, F, M> {
    /// The aggregate before the first record; `None` if the first record makes it.
    pub(crate) initializer: I,
    /// Adds a record.
    pub(crate) aggregator: F,
    /// Makes one aggregate of two: that of earlier sessions, and that of the next session.
    pub(crate) merger: M,
}

/// The state of an aggregation of sessions.
pub(crate) struct SessionAggregate<K, V, A, I, F, M> {
    pub(crate) sessions: Sessions<K>,
    pub(crate) value: Arc<dyn Codec<A>>,
    pub(crate) fold: Arc<SessionFold<I, F, M>>,
    pub(crate) emit_final: bool,
    pub(crate) sends_old: bool,
    pub(crate) next: Next<Windowed<K>, Change<A>>,
    pub(crate) late: Next<K, V>,
}

impl<K: Data, V: Data, A: Data, I, F, M> SessionAggregate<K, V, A, I, F, M>
where
    I: Fn() -> Option<A>,
    F: Fn(&K, V, &mut Option<A>),
    M: Fn(&K, A, A) -> A,
{
    fn add(&self, ctx: &mut TaskContext, record: Record<K, V>, found: &Found) -> Outcome {
        let Record { key, value, .. } = record;
        let mut absorbed = Vec::with_capacity(found.absorbed.len());
        for (session, row) in &found.absorbed {
            absorbed.push((session, self.value.decode(row.value.clone())?));
        }
        let mut aggregate = (self.fold.initializer)();
        for (_, stored) in &absorbed {
            let stored = stored.clone();
            aggregate = Some(match aggregate {
                Some(aggregate) => (self.fold.merger)(&key, aggregate, stored),
                None => stored,
            });
        }
        (self.fold.aggregator)(&key, value, &mut aggregate);
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
                self.forward(ctx, key.clone(), session.start, session.end, Change { new: None, old })?;
            }
        }
        self.forward(ctx, key, found.start, found.end, Change { new: aggregate, old: overwritten })
    }

    fn forward(&self, ctx: &mut TaskContext, key: K, start: i64, end: i64, change: Change<A>) -> Outcome {
        self.next.forward(ctx, Record::new(Windowed { key, window: Window { start, end } }, change, end))
    }

    fn close(&self, ctx: &mut TaskContext, key: Option<&[u8]>) -> Outcome {
        let emit = |ctx: &mut TaskContext, session: &SessionKey, row: Row| {
            ctx.or_left_out(|ctx| {
                let SessionKey { key, start, end } = session.clone();
                let change = Change { new: Some(self.value.decode(row.value)?), old: None };
                self.forward(ctx, self.sessions.key.decode(key)?, start, end, change)
            })
        };
        self.sessions.close(ctx, key, self.emit_final.then_some(emit))
    }
}

impl<K: Data, V: Data, A: Data, I, F, M> Receive<K, V> for SessionAggregate<K, V, A, I, F, M>
where
    I: Fn() -> Option<A>,
    F: Fn(&K, V, &mut Option<A>),
    M: Fn(&K, A, A) -> A,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let found: Result<_, Box<Failure>> = self.sessions.find(ctx, record, &self.late);
        if let Some((record, found)) = found? {
            self.add(ctx, record, &found)?;
            self.close(ctx, Some(self.sessions.last_key()))?;
        }
        Ok(())
    }
}

impl<K: Data, V: Data, A: Data, I, F, M> Lifecycle for SessionAggregate<K, V, A, I, F, M>
where
    I: Fn() -> Option<A>,
    F: Fn(&K, V, &mut Option<A>),
    M: Fn(&K, A, A) -> A,
{
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
