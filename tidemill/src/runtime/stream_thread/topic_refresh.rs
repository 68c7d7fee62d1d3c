//! Topics that appear or go while the application runs: those of patterns, and those that sinks may choose.

use std::sync::Arc;

use super::{StreamThread, tasks::Slot};
use crate::{
    clock::millis,
    error::{TaskError, TopologyError},
    runtime::preparation::{OnLog, create_internal_topics},
};

impl StreamThread {
    /// Looks at the log's topics if the plan depends on them and it is time for it.
    pub(super) fn refresh_topics_when_due(&mut self, now_ms: i64) -> Result<(), TaskError> {
        let every_ms = millis(self.app.config.metadata_max_age);
        if self.app.plan.finds_topics() && now_ms - self.last_refresh_ms >= every_ms {
            self.refresh_topics()?;
        }
        Ok(())
    }

    /// Takes up the topics that the log has now. The tasks are closed at a commit and opened again with the new plan.
    /// Stores stay open.
    fn refresh_topics(&mut self) -> Result<(), TaskError> {
        self.last_refresh_ms = self.app.clock.monotonic_ms();
        let refreshed = self.app.plan.refreshed(&mut OnLog(&mut *self.clients.admin));
        let checked = refreshed.and_then(|plan| {
            let problems = plan.as_ref().map(|plan| create_internal_topics(&mut *self.clients.admin, plan));
            TopologyError::check(problems.unwrap_or_default()).map(|()| plan)
        });
        let plan = match checked {
            Ok(Some(plan)) => Arc::new(plan),
            Ok(None) => return Ok(()),
            Err(refused) => {
                let problems = refused.problems().join("; ");
                tracing::warn!(thread = %self.name, %problems, "the topics that exist now are not taken up");
                return Ok(());
            }
        };
        self.commit()?;
        if self.repair.is_some() {
            // The next look finds the same topics.
            return Ok(());
        }
        tracing::info!(thread = %self.name, topics = ?plan.existing_source_topics(), "topics have appeared or gone");
        let slots = self.tasks.slots.extract_if(.., |_, slot| !matches!(slot, Slot::Failed(_)));
        for (id, slot) in slots {
            let stores = match slot {
                Slot::Running(task) => task.into_rolled_back_stores(),
                Slot::Restoring(task) => task.stores,
                Slot::Failed(_) => continue,
            };
            self.tasks.parked.insert(id, stores);
        }
        let subscribes = plan.existing_source_topics() != self.app.plan.existing_source_topics();
        self.app.take_up(plan);
        if subscribes {
            self.clients.consumer.subscribe(&self.app.plan.existing_source_topics()).map_err(TaskError::of_sources)?;
        }
        self.open_tasks()
    }

    /// Whether a topic that is gone was found by a pattern, and the plan does without it from now on.
    pub(super) fn does_without(&mut self, topic: &str) -> Result<bool, TaskError> {
        if self.repair.is_some() || !self.app.plan.is_found(topic) {
            return Ok(false);
        }
        self.refresh_topics()?;
        Ok(!self.app.plan.is_found(topic))
    }
}
