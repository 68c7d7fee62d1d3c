//! The replacement of a thread: new clients, new tasks, and the record that failed is tried again.

use super::Repair;
use crate::{
    clock::millis,
    error::{Position, chain},
    names::TaskId,
    runtime::stream_thread::StreamThread,
};

use std::time::Duration;

use tidemill_state::BoxError;

/// A place that has not failed for this long begins anew.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// How often the thread was replaced for the place that failed last.
#[derive(Debug, Default)]
pub(in crate::runtime::stream_thread) struct Replacements {
    /// The task, and the record; `None` for a failure between records.
    place: Option<(TaskId, Option<Position>)>,
    count: u32,
    last_ms: i64,
}

impl Replacements {
    /// Counts one more replacement, if there may be one.
    fn another(&mut self, task: TaskId, position: Option<&Position>, most: u32, now_ms: i64) -> bool {
        let place = Some((task, position.cloned()));
        if self.place != place || now_ms - self.last_ms > millis(FORGOTTEN) {
            (self.place, self.count) = (place, 0);
        }
        self.last_ms = now_ms;
        let may = self.count < most;
        self.count += u32::from(may);
        may
    }
}

impl StreamThread {
    /// Replaces the thread for a record, unless that was done too often. The group then sees a new member with a new
    /// producer, and all tasks of the thread are built anew at their last commit.
    pub(super) fn replaces_thread(&mut self, task: TaskId, position: Option<&Position>, source: &BoxError) -> bool {
        let (most, now_ms) = (self.app.config.max_thread_replacements, self.app.clock.monotonic_ms());
        let error = chain(&**source);
        if !self.replacements.another(task, position, most, now_ms) {
            tracing::error!(thread = %self.name, %task, %error, "replacing the thread {most} time(s) did not help");
            return false;
        }
        let count = self.replacements.count;
        tracing::warn!(thread = %self.name, %task, %error, "replacing the thread, {count} of at most {most} time(s)");
        self.status.replaced += 1;
        self.give_up();
        self.drop_tasks();
        self.repair = Some(Repair::Rejoin);
        // What the record waits for may need a moment.
        self.app.clock.sleep(self.app.config.poll_timeout);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TopicPartition;

    #[test]
    fn a_place_has_its_own_replacements_and_begins_anew_when_it_has_rested() {
        let (task, other) = (TaskId { subtopology: 0, partition: 0 }, TaskId { subtopology: 0, partition: 1 });
        let at = |offset| Position { partition: TopicPartition::new("in", 0), offset };
        let mut replacements = Replacements::default();
        assert!(replacements.another(task, Some(&at(7)), 2, 0));
        assert!(replacements.another(task, Some(&at(7)), 2, 1));
        assert!(!replacements.another(task, Some(&at(7)), 2, 2), "twice is the most");
        assert!(!replacements.another(task, Some(&at(7)), 2, 600_002), "the place has not rested");
        assert!(replacements.another(task, Some(&at(7)), 2, 1_200_003), "it has rested");
        assert!(replacements.another(task, Some(&at(8)), 2, 1_200_004), "another record");
        assert!(replacements.another(other, None, 2, 1_200_005), "a punctuation of another task");
        assert!(!replacements.another(task, None, 0, 1_200_006), "none is allowed");
    }
}
