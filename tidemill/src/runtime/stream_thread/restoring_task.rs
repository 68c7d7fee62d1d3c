//! A task while its stores are restored.

use std::collections::BTreeMap;

use crate::{
    runtime::{RestoreProgress, restore_meter::RestoreMeter},
    task::{StoreRestore, TaskStores},
    transport::{CommittedOffset, TopicPartition},
};

const MB: u64 = 1_000_000;

/// A task whose stores are being restored.
pub(crate) struct RestoringTask {
    pub(crate) stores: TaskStores,
    pub(crate) restores: Vec<StoreRestore>,
    pub(crate) committed: BTreeMap<TopicPartition, CommittedOffset>,
    /// The number of changelog offsets to replay at the start, for progress.
    pub(crate) total: i64,
    pub(crate) meter: RestoreMeter,
}

impl RestoringTask {
    pub(crate) fn remaining(&self) -> i64 {
        self.restores.iter().map(|restore| restore.end - restore.next).sum()
    }

    pub(crate) fn progress(&self, now_ms: i64) -> RestoreProgress {
        self.meter.progress(self.remaining(), self.total, now_ms)
    }

    /// Logs the progress at intervals.
    pub(crate) fn tell(&mut self, now_ms: i64) {
        if self.meter.is_due(now_ms) {
            let RestoreProgress { records, bytes, bytes_per_second, remaining_ms } = self.progress(now_ms);
            let (task, left, seconds) = (self.stores.task, self.remaining(), remaining_ms.map(|ms| ms / 1000));
            tracing::info!(%task, records, mb = bytes / MB, mb_per_s = bytes_per_second / MB, left, ?seconds, "restoring");
        }
    }

    /// Logs the end of the restore.
    pub(crate) fn tell_end(&self, now_ms: i64) {
        let RestoreProgress { records, bytes, bytes_per_second, .. } = self.progress(now_ms);
        let (task, ms) = (self.stores.task, now_ms - self.meter.started_ms);
        tracing::info!(%task, records, mb = bytes / MB, mb_per_s = bytes_per_second / MB, ms, "restored");
    }
}
