//! The answer to strays in a changelog: the task's state is written again behind them.

use std::time::Duration;

use super::{StreamThread, tasks::Slot};
use crate::{
    error::TaskError,
    plan::TaskId,
    task::Strays,
    transport::{ConsumedRecord, TransportError},
};

/// The time of one wait for records of the changelog, the records of one read, and the most reads.
const PATIENCE: Duration = Duration::from_millis(100);
const BATCH: usize = 10_000;
const READS_MAX: usize = 100;

impl StreamThread {
    /// Reads a stretch of a changelog, and lets its task write its state again where the strays differ.
    pub(super) fn write_again(&mut self, task: TaskId, strays: &Strays) -> Result<(), TaskError> {
        let Strays { changelog, from, to, .. } = strays;
        tracing::warn!(%task, %changelog, from, to, "a replaced member wrote to the changelog: its task writes again");
        let records = self.read_stretch(strays).map_err(|error| match error {
            // The changelog was cut off or replaced. A restore knows what to do.
            TransportError::OffsetOutOfRange { .. } => TransportError::Retriable(error.to_string().into()),
            other => other,
        })?;
        if let Some(Slot::Running(task)) = self.tasks.slots.get_mut(&task) {
            task.stores.write_again(strays, records)?;
        }
        // The tasks that restore go on where they were.
        self.read_changelogs()
    }

    fn read_stretch(
        &mut self,
        Strays { changelog, from, to, .. }: &Strays,
    ) -> Result<Vec<ConsumedRecord>, TransportError> {
        let reader = &mut self.clients.reader;
        reader.assign(&[(changelog.clone(), *from)])?;
        let mut found = Vec::new();
        for _ in 0..READS_MAX {
            if reader.position(changelog)? >= *to {
                return Ok(found);
            }
            let batches = reader.read(PATIENCE, BATCH)?;
            found.extend(batches.into_iter().flat_map(|batch| batch.records).filter(|record| record.offset < *to));
        }
        Err(TransportError::Retriable(format!("{changelog} is not readable up to {to}").into()))
    }
}
