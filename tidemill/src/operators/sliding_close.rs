//! Sliding windows close: final results, and expiry.

use std::ops::Range;

use super::{Failure, Lifecycle, Outcome, SlidingAggregate, TaskContext, WindowClock, WindowTime, window_time::Due};
use crate::{
    record::{Data, Record},
    table::Change,
    windows::Windowed,
};

/// The number of aggregates that are read from the store at once when windows close.
const PIECE_ROWS: usize = 1_000;

impl<K: Data, A: Data> SlidingAggregate<K, A> {
    /// Handles windows that the time of the key or of the partition has closed: emits them if final results are
    /// selected.
    pub(super) fn close(&mut self, ctx: &mut TaskContext, key: Option<&[u8]>) -> Outcome {
        match &self.time {
            WindowTime::Partition(clock) if clock.closed().is_none() => Ok(()),
            WindowTime::Partition(clock) => self.close_windows(ctx, clock),
            WindowTime::Key(windows) => {
                let windows = windows.clone();
                windows.close(ctx, key, |ctx, key, due| self.close_one(ctx, key, due))
            }
        }
    }

    fn close_windows(&self, ctx: &mut TaskContext, clock: &WindowClock) -> Outcome {
        while let Some(Range { start: from, end: to }) = clock.closed() {
            if self.emit_final {
                self.emit_stored(ctx, clock, from, to)?;
            } else {
                clock.close_up_to(ctx, to, None);
            }
            if clock.closed().is_some() && ctx.is_full() {
                ctx.unfinished = true;
                break;
            }
        }
        let mut store = self.store.borrow_mut();
        let expired = clock.expired_below(store.retention_ms()).min(clock.closed_below());
        clock.expire(ctx, &mut store, expired)?;
        Ok(())
    }

    /// Emits closed windows by start, then key: some of them, and notes where to go on.
    fn emit_stored(&self, ctx: &mut TaskContext, clock: &WindowClock, from: i64, to: i64) -> Outcome {
        let mut rows = Vec::new();
        if let Some(after) = clock.emitted() {
            let store = self.store.borrow();
            rows.extend(store.scan_window_after(from, Some(&after))?.take(PIECE_ROWS).collect::<Result<Vec<_>, _>>()?);
        }
        if rows.len() < PIECE_ROWS {
            let (store, from) = (self.store.borrow(), from + i64::from(clock.emitted().is_some()));
            let rest = store.scan(from, to)?.take(PIECE_ROWS - rows.len());
            rows.extend(rest.collect::<Result<Vec<_>, _>>()?);
        }
        let (is_last, mut emitted) = (rows.len() < PIECE_ROWS, None);
        if !rows.is_empty() {
            clock.mark_changed(ctx);
        }
        for (at, row) in rows {
            emitted = Some((at.start, at.key.clone()));
            ctx.or_left_out(|ctx| {
                let key = Windowed { key: self.key.decode(at.key)?, window: self.window_at(at.start) };
                let value = Change::latest(Some(self.value.decode(row.value)?), None);
                self.next.forward(ctx, Record::new(key, value, row.timestamp))
            })?;
        }
        match emitted.filter(|_| !is_last) {
            Some((start, key)) => clock.close_up_to(ctx, start, Some(key)),
            None => clock.close_up_to(ctx, to, None),
        }
        Ok(())
    }

    /// Handles one due window of a key.
    fn close_one(&mut self, ctx: &mut TaskContext, key: &[u8], due: Due) -> Result<bool, Box<Failure>> {
        let start = due.window.start;
        if !due.closes {
            let mut store = self.store.borrow_mut();
            let is_new = store.epoch() == due.epoch;
            store.remove_value(start, key, is_new);
            if let Some(starts) = &mut self.starts {
                starts.note_deleted(key);
            }
            return Ok(true);
        }
        let found = if self.emit_final { self.store.borrow().get(start, key)? } else { None };
        if let Some(row) = found {
            ctx.or_left_out(|ctx| {
                let key = Windowed { key: self.key.decode(key.to_vec().into())?, window: self.window_at(start) };
                let value = Change::latest(Some(self.value.decode(row.value)?), None);
                self.next.forward(ctx, Record::new(key, value, row.timestamp))
            })?;
        }
        Ok(true)
    }
}

impl<K: Data, A: Data> Lifecycle for SlidingAggregate<K, A> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        self.time.save([&*self.store])?;
        if let Some(starts) = &mut self.starts {
            starts.sweep(&self.store.borrow())?;
        }
        Ok(())
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        if let Some(starts) = &mut self.starts {
            starts.note_deleted(key);
        }
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
