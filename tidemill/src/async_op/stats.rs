//! Counters of an executor.

use serde::Serialize;

use super::Usage;

/// Counters of an executor, since [`CallExecutor::spawn`](crate::CallExecutor::spawn). See the example there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CallStats {
    /// Attempts started.
    pub attempts: u64,
    /// Attempts after the first one of their request.
    pub retries: u64,
    /// Attempts that took too long.
    pub timeouts: u64,
    /// Attempts that started beside a slow one.
    pub hedged: u64,
    /// Requests with a successful answer, of whatever origin. [`RouteSnapshot::succeeded`](crate::RouteSnapshot) tells
    /// how many of them each route answered.
    pub succeeded: u64,
    /// Of these, answered by the caller without a call ([`Caller::known`](crate::Caller::known)).
    pub known: u64,
    /// Of these, answered by another route than the first.
    pub fallbacks: u64,
    /// Of these, answered from the cache.
    pub cached: u64,
    /// Requests that joined a call for the same content.
    pub joined: u64,
    /// Requests that failed for good. Those that were superseded, expired or dropped do not count.
    pub failed: u64,
    /// Requests whose place a newer one took.
    pub superseded: u64,
    /// Requests whose deadline was over.
    pub expired: u64,
    /// How often a request left a route because a limit was exhausted.
    pub exhausted: u64,
    /// Requests that were dropped because a limit was exhausted.
    pub dropped: u64,
    /// Requests that an executor which is gone had begun: they may be paid twice.
    pub repeated: u64,
    /// What all attempts consumed, also those whose answer came too late.
    pub usage: Usage,
    /// Attempts that never told what they consumed. The most that they may have consumed counts.
    pub untold: u64,
    /// That most, of all of them. It is a part of `usage`.
    pub untold_usage: Usage,
    /// The time from requests to their answers, in wall time: how many took up to the milliseconds of
    /// [`CallStats::LATENCY_MS`]; the last number counts those that took longer.
    pub latency: [u64; 12],
    /// The sum of these times, in milliseconds.
    pub latency_sum_ms: u64,
    /// Attempts that run now.
    pub in_flight: u64,
    /// Requests that were read and wait for an attempt.
    pub waiting: u64,
}

impl CallStats {
    /// The upper bounds of the first buckets of [`CallStats::latency`], in milliseconds.
    pub const LATENCY_MS: [u64; 11] = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

    pub(super) fn took(&mut self, latency_ms: u64) {
        let bucket = Self::LATENCY_MS.partition_point(|bound| *bound < latency_ms);
        self.latency[bucket] += 1;
        self.latency_sum_ms = self.latency_sum_ms.saturating_add(latency_ms);
    }
}
