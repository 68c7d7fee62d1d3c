//! When punctuations are due.

use crate::{
    operators::processor::PunctuationType,
    operators::{Schedule, TaskContext},
};

/// Takes the punctuations due at `time_ms` and moves each one past it. Missed intervals become one call.
pub(super) fn take_due(ctx: &mut TaskContext, kind: PunctuationType, time_ms: i64) -> Vec<Schedule> {
    let mut due = Vec::new();
    for schedule in ctx.schedules.iter_mut().filter(|schedule| schedule.kind == kind && schedule.due_ms <= time_ms) {
        due.push(*schedule);
        let missed = (time_ms - schedule.due_ms) / schedule.interval_ms;
        schedule.due_ms += (missed + 1) * schedule.interval_ms;
    }
    due
}
