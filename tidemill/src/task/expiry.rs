//! When a task's rows with a time to live expire: before a record that moves the time, and after idle time.

use tidemill_state::StoreError;

use crate::operators::{Failure, TaskContext, TimeToLive};

/// The times to live of a task's stores.
pub(super) struct Expiry {
    stores: Vec<TimeToLive>,
    /// The task's idle clock when the last record came. Idle time counts from here.
    busy_ms: i64,
}

impl Expiry {
    /// Reads the rows of all stores once, to order them by time.
    pub(super) fn open(stores: Vec<TimeToLive>) -> Result<Self, StoreError> {
        stores.iter().try_for_each(TimeToLive::index)?;
        Ok(Self { stores, busy_ms: 0 })
    }

    /// Deletes what expires before a record, a part in each turn. `true` if nothing is left, and the record may be
    /// taken.
    pub(super) fn before_record(&mut self, ctx: &mut TaskContext, timestamp: i64) -> Result<bool, Box<Failure>> {
        if self.stores.is_empty() {
            return Ok(true);
        }
        self.busy_ms = ctx.idle_ms;
        let now_ms = ctx.stream_time_ms.max(timestamp);
        ctx.queue = None;
        for store in &mut self.stores {
            if !delete_due(ctx, store, now_ms)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes what expires because the task was silent, a part in each turn. The next record has its own time again: no
    /// row expires because of a silence that is over.
    pub(super) fn tick(&mut self, ctx: &mut TaskContext) -> Result<(), Box<Failure>> {
        let silent_ms = ctx.idle_ms - self.busy_ms;
        if ctx.stream_time_ms < 0 {
            return Ok(());
        }
        let now_ms = ctx.stream_time_ms.saturating_add(silent_ms);
        for store in &mut self.stores {
            if store.idle_after_ms().is_some_and(|after_ms| silent_ms >= after_ms) && !delete_due(ctx, store, now_ms)? {
                break;
            }
        }
        Ok(())
    }
}

/// Deletes rows that are due. `false` if more of them may be due: the task then continues in its next turn.
fn delete_due(ctx: &mut TaskContext, store: &mut TimeToLive, now_ms: i64) -> Result<bool, Box<Failure>> {
    let mut all = true;
    ctx.all_or_nothing(|ctx| store.expire(ctx, now_ms).map(|done| all = done))?;
    ctx.unfinished |= !all;
    Ok(all)
}
