//! Collects two streams into common windows, and emits both sides' elements of a window together.

use std::{cell::RefCell, cmp::Ordering, ops::Range, rc::Rc};

use super::{
    Elements, Failure, Lifecycle, Next, Outcome, Receive, TaskContext, WindowClock, WindowTime,
    elements::{KeyElements, Piece},
    window_time::{Due, KeyWindows},
};
use crate::{
    record::{Data, Record},
    windows::{Cogrouped, JoinKind, Window, Windowed},
};

/// The numbers of the two sides.
const LEFT: u8 = 0;
const RIGHT: u8 = 1;

/// The parts that both sides share: one time, and the emission of windows.
pub(crate) struct Cogroup<K, L, R> {
    pub(crate) time: WindowTime,
    pub(crate) kind: JoinKind,
    pub(crate) left: Elements<K, L>,
    pub(crate) right: Elements<K, R>,
    pub(crate) next: Next<Windowed<K>, Cogrouped<L, R>>,
}

impl<K: Data, L: Data, R: Data> Cogroup<K, L, R> {
    fn close(&self, ctx: &mut TaskContext, key: Option<&[u8]>) -> Outcome {
        match &self.time {
            WindowTime::Partition(clock) if clock.closed().is_none() => Ok(()),
            WindowTime::Partition(clock) => self.close_windows(ctx, clock),
            WindowTime::Key(windows) => windows.close(ctx, key, |ctx, key, due| self.close_one(ctx, windows, key, due)),
        }
    }

    /// A window with many keys can exceed the memory. It is therefore read and emitted in pieces.
    fn close_windows(&self, ctx: &mut TaskContext, clock: &WindowClock) -> Outcome {
        while let Some(Range { start: from, end: to }) = clock.closed() {
            let starts = [self.left.first_start(from, to)?, self.right.first_start(from, to)?];
            let Some(start) = starts.into_iter().flatten().min() else {
                clock.close_up_to(ctx, to, None);
                break;
            };
            clock.mark_changed(ctx);
            let after = clock.emitted().filter(|_| start == from);
            let left = self.left.groups_after(start, after.as_deref())?;
            let right = self.right.groups_after(start, after.as_deref())?;
            // Both sides have read all keys up to this key.
            let known = [&left, &right].into_iter().filter(|piece| !piece.is_last).filter_map(Piece::last_key).min();
            self.emit(ctx, clock.window_at(start), left.up_to(known.as_ref()), right.up_to(known.as_ref()))?;
            clock.close_up_to(ctx, if known.is_some() { start } else { start + 1 }, known);
            if ctx.is_full() {
                ctx.unfinished = true;
                return Ok(());
            }
        }
        self.left.expire(ctx, clock)?;
        self.right.expire(ctx, clock)?;
        Ok(())
    }

    /// Iterates over both sides' keys in order, as a merge join does.
    fn emit(
        &self,
        ctx: &mut TaskContext,
        window: Window,
        lefts: Vec<KeyElements>,
        rights: Vec<KeyElements>,
    ) -> Outcome {
        let (mut lefts, mut rights) = (lefts.into_iter().peekable(), rights.into_iter().peekable());
        loop {
            let order = match (lefts.peek(), rights.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(left), Some(right)) => left.key.cmp(&right.key),
            };
            let left = if order == Ordering::Greater { None } else { lefts.next() };
            let right = if order == Ordering::Less { None } else { rights.next() };
            self.emit_key(ctx, window, left, right)?;
        }
    }

    fn emit_key(
        &self,
        ctx: &mut TaskContext,
        window: Window,
        left: Option<KeyElements>,
        right: Option<KeyElements>,
    ) -> Outcome {
        let both = [&left, &right];
        let timestamp = both.iter().filter_map(|side| Some(side.as_ref()?.timestamp)).max();
        let key = both.iter().find_map(|side| Some(side.as_ref()?.key.clone()));
        let (Some(key), Some(timestamp)) = (key, timestamp) else { return Ok(()) };
        if !self.kind.emits(left.is_some(), right.is_some()) {
            return Ok(());
        }
        ctx.or_left_out(|ctx| {
            let key = Windowed { key: self.left.key.decode(key)?, window };
            let value = Cogrouped {
                left: self.left.decode(left.map_or_else(Vec::new, |group| group.rows))?,
                right: self.right.decode(right.map_or_else(Vec::new, |group| group.rows))?,
            };
            self.next.forward(ctx, Record::new(key, value, timestamp))
        })
    }

    /// Handles one due window of a key.
    fn close_one(
        &self,
        ctx: &mut TaskContext,
        windows: &KeyWindows,
        key: &[u8],
        due: Due,
    ) -> Result<bool, Box<Failure>> {
        let start = due.window.start;
        let other = if due.closes { windows.take_side(ctx, key, 1 - due.side, start) } else { None };
        let both = [Some(due), other];
        let of = |side: u8| both.into_iter().flatten().find(|due| due.side == side);
        let mut found = !due.closes;
        if due.closes {
            let left = if of(LEFT).is_some() { self.left.group(start, key)? } else { None };
            let right = if of(RIGHT).is_some() { self.right.group(start, key)? } else { None };
            found = left.is_some() || right.is_some();
            self.emit_key(ctx, due.window, left, right)?;
        }
        if !due.is_kept {
            if let Some(left) = of(LEFT) {
                self.left.remove(start, key, left.epoch)?;
            }
            if let Some(right) = of(RIGHT) {
                self.right.remove(start, key, right.epoch)?;
            }
        }
        Ok(found)
    }
}

impl<K: Data, L: Data, R: Data> Lifecycle for Cogroup<K, L, R> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(self.time.save([&*self.left.store, &*self.right.store])?)
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        self.time.erase(ctx, key);
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.time.tick(ctx)?;
        self.close(ctx, None)
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.close(ctx, None)
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
        if core.left.receive(ctx, &core.time, LEFT, record, &self.late)? {
            core.close(ctx, Some(core.left.last_key()))?;
        }
        Ok(())
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
        if core.right.receive(ctx, &core.time, RIGHT, record, &self.late)? {
            core.close(ctx, Some(core.right.last_key()))?;
        }
        Ok(())
    }
}
