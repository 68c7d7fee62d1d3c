//! Collects a window's elements. Each element is one row and one changelog record; the close of the window builds the
//! list.

use std::ops::Range;

use super::{
    Elements, Failure, Lifecycle, Next, Outcome, Receive, TaskContext, WindowClock, WindowTime, elements::KeyElements,
    window_time::Due,
};
use crate::{
    record::{Data, Record},
    windows::{Window, Windowed},
};

/// The state of a collecting operator.
pub(crate) struct Collect<K, V> {
    pub(crate) time: WindowTime,
    pub(crate) elements: Elements<K, V>,
    pub(crate) next: Next<Windowed<K>, Vec<V>>,
    pub(crate) late: Next<K, V>,
}

impl<K: Data, V: Data> Collect<K, V> {
    fn close(&self, ctx: &mut TaskContext, key: Option<&[u8]>) -> Outcome {
        match &self.time {
            WindowTime::Partition(clock) if clock.closed().is_none() => Ok(()),
            WindowTime::Partition(clock) => self.close_windows(ctx, clock),
            WindowTime::Key(windows) => windows.close(ctx, key, |ctx, key, due| self.close_one(ctx, key, due)),
        }
    }

    /// A window with many keys can exceed the memory. It is therefore read and emitted in pieces.
    fn close_windows(&self, ctx: &mut TaskContext, clock: &WindowClock) -> Outcome {
        while let Some(Range { start: from, end: to }) = clock.closed() {
            let Some(start) = self.elements.first_start(from, to)? else {
                clock.close_up_to(ctx, to, None);
                break;
            };
            clock.mark_changed(ctx);
            let after = clock.emitted().filter(|_| start == from);
            let piece = self.elements.groups_after(start, after.as_deref())?;
            let emitted = piece.last_key().filter(|_| !piece.is_last);
            for group in piece.groups {
                self.emit(ctx, clock.window_at(start), group)?;
            }
            clock.close_up_to(ctx, if emitted.is_some() { start } else { start + 1 }, emitted);
            if ctx.is_full() {
                ctx.unfinished = true;
                return Ok(());
            }
        }
        Ok(self.elements.expire(ctx, clock)?)
    }

    /// Handles one due window of a key.
    fn close_one(&self, ctx: &mut TaskContext, key: &[u8], due: Due) -> Result<bool, Box<Failure>> {
        let Due { window, closes, is_kept, epoch, .. } = due;
        let group = if closes { self.elements.group(window.start, key)? } else { None };
        let found = group.is_some() || !closes;
        if let Some(group) = group {
            self.emit(ctx, window, group)?;
        }
        if !is_kept {
            self.elements.remove(window.start, key, epoch)?;
        }
        Ok(found)
    }

    fn emit(&self, ctx: &mut TaskContext, window: Window, group: KeyElements) -> Outcome {
        ctx.or_left_out(|ctx| {
            let KeyElements { key, timestamp, rows } = group;
            let (key, elements) = (self.elements.key.decode(key)?, self.elements.decode(rows)?);
            self.next.forward(ctx, Record::new(Windowed { key, window }, elements, timestamp))
        })
    }
}

impl<K: Data, V: Data> Receive<K, V> for Collect<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        if self.elements.receive(ctx, &self.time, 0, record, &self.late)? {
            self.close(ctx, Some(self.elements.last_key()))?;
        }
        Ok(())
    }
}

impl<K: Data, V: Data> Lifecycle for Collect<K, V> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(self.time.save([&*self.elements.store])?)
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
