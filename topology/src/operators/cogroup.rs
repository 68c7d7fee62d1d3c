//! Collects two streams into common windows: a window is emitted when either side had something.

use std::{cell::RefCell, cmp::Ordering, rc::Rc};

use super::{
    Lifecycle, Next, Outcome, Receive, TaskContext, WindowClock,
    collect::{Elements, Group},
};
use crate::{
    dsl::{Cogrouped, JoinKind, Windowed},
    record::{Data, Record},
};

/// What both sides share: one stream time, and the windows' emission.
pub(crate) struct Cogroup<K, L, R> {
    pub(crate) clock: WindowClock,
    pub(crate) kind: JoinKind,
    pub(crate) left: Elements<K, L>,
    pub(crate) right: Elements<K, R>,
    pub(crate) next: Next<Windowed<K>, Cogrouped<L, R>>,
}

impl<K: Data, L: Data, R: Data> Cogroup<K, L, R> {
    fn close_windows(&mut self, ctx: &mut TaskContext) -> Outcome {
        let Some((mut from, to)) = self.clock.newly_closed() else { return Ok(()) };
        loop {
            let starts = [self.left.first_start(from, to)?, self.right.first_start(from, to)?];
            let Some(start) = starts.into_iter().flatten().min() else { break };
            self.emit(ctx, start)?;
            from = start + 1;
        }
        self.left.expire(&self.clock);
        self.right.expire(&self.clock);
        Ok(())
    }

    /// Walks both sides' keys in order, as a merge join does.
    fn emit(&mut self, ctx: &mut TaskContext, start: i64) -> Outcome {
        let mut lefts = self.left.groups(start)?.into_iter().peekable();
        let mut rights = self.right.groups(start)?.into_iter().peekable();
        loop {
            let order = match (lefts.peek(), rights.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(left), Some(right)) => left.key.cmp(&right.key),
            };
            let left = if order == Ordering::Greater { None } else { lefts.next() };
            let right = if order == Ordering::Less { None } else { rights.next() };
            if self.kind.emits(left.is_some(), right.is_some()) {
                self.emit_key(ctx, start, left, right)?;
            }
        }
    }

    fn emit_key(
        &mut self,
        ctx: &mut TaskContext,
        start: i64,
        left: Option<Group<L>>,
        right: Option<Group<R>>,
    ) -> Outcome {
        let key = left.as_ref().map(|group| &group.key).or(right.as_ref().map(|group| &group.key)).cloned();
        let timestamps = [left.as_ref().map(|group| group.timestamp), right.as_ref().map(|group| group.timestamp)];
        let (Some(key), Some(timestamp)) = (key, timestamps.into_iter().flatten().max()) else { return Ok(()) };
        let key = Windowed { key: self.left.key.decode(key)?, window: self.clock.window_at(start) };
        let value = Cogrouped {
            left: left.map_or_else(Vec::new, |group| group.elements),
            right: right.map_or_else(Vec::new, |group| group.elements),
        };
        self.next.forward_result(ctx, Record::new(key, value, timestamp))
    }
}

impl<K: Data, L: Data, R: Data> Lifecycle for Cogroup<K, L, R> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        self.clock.save([&self.left.store, &self.right.store]);
        Ok(())
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.clock.tick(ctx.idle_ms);
        self.close_windows(ctx)
    }
}

/// The left input.
pub(crate) struct LeftInput<K, L, R> {
    pub(crate) core: Rc<RefCell<Cogroup<K, L, R>>>,
    pub(crate) late: Next<K, L>,
}

impl<K: Data, L: Data, R: Data> Receive<K, L> for LeftInput<K, L, R> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, L>) -> Outcome {
        let core = &mut *self.core.borrow_mut();
        if ctx.drops_null(&*core.left.key, &record.key) {
            return Ok(());
        }
        core.clock.observe(record.timestamp, ctx.idle_ms);
        if let Some(late) = core.left.append(ctx, &core.clock, record)? {
            self.late.forward(ctx, late)?;
        }
        core.close_windows(ctx)
    }
}

/// The right input.
pub(crate) struct RightInput<K, L, R> {
    pub(crate) core: Rc<RefCell<Cogroup<K, L, R>>>,
    pub(crate) late: Next<K, R>,
}

impl<K: Data, L: Data, R: Data> Receive<K, R> for RightInput<K, L, R> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, R>) -> Outcome {
        let core = &mut *self.core.borrow_mut();
        if ctx.drops_null(&*core.right.key, &record.key) {
            return Ok(());
        }
        core.clock.observe(record.timestamp, ctx.idle_ms);
        if let Some(late) = core.right.append(ctx, &core.clock, record)? {
            self.late.forward(ctx, late)?;
        }
        core.close_windows(ctx)
    }
}
