//! The progress and speed of a restore.

use crate::runtime::RestoreProgress;

/// The time between two log lines about a restore.
const TELL_EVERY_MS: i64 = 10_000;

/// Counts the restored records and bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RestoreMeter {
    pub(crate) started_ms: i64,
    told_ms: i64,
    records: u64,
    bytes: u64,
}

impl RestoreMeter {
    pub(crate) fn start(now_ms: i64) -> Self {
        Self { started_ms: now_ms, told_ms: now_ms, records: 0, bytes: 0 }
    }

    pub(crate) fn count(&mut self, records: usize, bytes: usize) {
        self.records += records as u64;
        self.bytes += bytes as u64;
    }

    pub(crate) fn is_due(&mut self, now_ms: i64) -> bool {
        let due = now_ms - self.told_ms >= TELL_EVERY_MS;
        if due {
            self.told_ms = now_ms;
        }
        due
    }

    pub(crate) fn progress(&self, remaining: i64, total: i64, now_ms: i64) -> RestoreProgress {
        let Self { started_ms, records, bytes, .. } = *self;
        let elapsed_ms = (now_ms - started_ms).max(0);
        let per_second = |count: u64| (count as f64 * 1000.0 / elapsed_ms.max(1) as f64) as u64;
        let done = total - remaining;
        let left = |done: i64| (elapsed_ms as f64 * remaining as f64 / done as f64) as i64;
        let remaining_ms = (done > 0).then(|| left(done));
        RestoreProgress { records, bytes, bytes_per_second: per_second(bytes), remaining_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_until_now_tells_when_it_ends() {
        let mut meter = RestoreMeter::start(1_000);
        let none = RestoreProgress::default();
        assert_eq!(meter.progress(300, 300, 1_000), none, "nothing is known at the start");
        meter.count(100, 4_000_000);
        let expected =
            RestoreProgress { records: 100, bytes: 4_000_000, bytes_per_second: 2_000_000, remaining_ms: Some(4_000) };
        assert_eq!(meter.progress(200, 300, 3_000), expected);
        assert_eq!(meter.progress(0, 300, 3_000).remaining_ms, Some(0));
    }

    #[test]
    fn it_is_told_every_ten_seconds() {
        let mut meter = RestoreMeter::start(0);
        let told: Vec<_> = (0..=25).filter(|second| meter.is_due(second * 1_000)).collect();
        assert_eq!(told, [10, 20]);
    }
}
