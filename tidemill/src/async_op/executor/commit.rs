//! Commits which requests are answered, and deletes them.

use super::CallExecutor;
use crate::{
    clock::Moment,
    record::Data,
    transport::{CommittedOffset, Offset, TopicPartition, TransportError},
};

/// How often answered requests are deleted.
const PURGE_MS: i64 = 10_000;
/// How often a commit notes where the responses end.
const MARK_MS: i64 = 1_000;

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// Flushes the responses first and then commits the offsets: a crash between the two loses no call.
    pub(in crate::async_op) fn commit(&mut self, now: Moment) -> Result<(), TransportError> {
        self.committed_ms = now.monotonic_ms;
        self.producer.flush()?;
        self.delete_steps_of_nothing();
        self.delete_steps(now)?;
        let mut moved = Vec::new();
        for (partition, progress) in &mut self.progress {
            moved.extend(progress.next_commit().map(|commit| (partition.clone(), commit)));
        }
        if !moved.is_empty() {
            self.mark(&mut moved, now);
            self.consumer.commit(&moved)?;
            for (partition, commit) in moved {
                if let Some(progress) = self.progress.get_mut(&partition) {
                    progress.committed(commit);
                }
            }
        }
        if self.policy.purge_requests && now.monotonic_ms - self.purged_ms >= PURGE_MS {
            match self.purge(now.monotonic_ms) {
                Err(fenced @ TransportError::Fenced(_)) => return Err(fenced),
                // No call depends on the purge, and the next purge tries again.
                Err(error) => {
                    tracing::warn!(call = %self.call.name, %error, "answered requests were not deleted");
                    self.admin = None;
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Notes now and then where the responses end, so that the next owner finds those that no commit has noted.
    fn mark(&mut self, moved: &mut [(TopicPartition, CommittedOffset)], now: Moment) {
        if now.monotonic_ms - self.marked_ms < MARK_MS {
            return;
        }
        self.marked_ms = now.monotonic_ms;
        for (partition, commit) in moved {
            // An older mark only means that the next owner reads more.
            if let Ok(Some(end)) = self.known_end(partition)
                && let Some(progress) = self.progress.get_mut(partition)
            {
                progress.answers_end_at(end);
                *commit = progress.next_commit().unwrap_or_else(|| commit.clone());
            }
        }
    }

    /// Where the responses end, if the commit tells of every request that was answered before: what earlier owners
    /// answered has been read, and nobody else has written. An executor may write although it has lost the partition, as
    /// long as it does not know that.
    fn known_end(&mut self, partition: &TopicPartition) -> Result<Option<Offset>, TransportError> {
        if self.takeovers.get(partition).is_some_and(|takeover| !takeover.answered.is_empty()) {
            return Ok(None);
        }
        let end = self.end_of(&TopicPartition::new(self.topics.responses.clone(), partition.partition))?;
        let Some(mut progress) = self.progress.remove(partition) else { return Ok(None) };
        let knows = progress.knows_responses(end, || self.end_of(partition));
        self.progress.insert(partition.clone(), progress);
        Ok(knows?.then_some(end))
    }

    pub(super) fn end_of(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        let reader = match &mut self.ends {
            Some(reader) => reader,
            none => none.insert(self.transport.reader()?),
        };
        Ok(reader.watermarks(partition)?.high)
    }

    /// Deletes the requests below the committed offsets.
    pub(super) fn purge(&mut self, now_ms: i64) -> Result<(), TransportError> {
        self.purged_ms = now_ms;
        let owned = self.owned.clone();
        let committed = self.consumer.committed(&owned)?;
        let admin = self.admin()?;
        for (partition, committed) in owned.iter().zip(committed) {
            if let Some(committed) = committed {
                admin.delete_records(partition, committed.offset)?;
            }
        }
        Ok(())
    }
}
