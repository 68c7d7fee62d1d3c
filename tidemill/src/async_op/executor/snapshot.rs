//! What an executor shows of itself.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::CallExecutor;
use crate::{
    async_op::{BreakerState, CallStats, LimitUse, Spending},
    clock::Moment,
    record::Data,
};

/// How often the slower parts of a snapshot are made anew.
const SHOW_MS: i64 = 250;

/// An executor at a moment. See the example of
/// [`CallExecutorHandle::snapshot`](crate::CallExecutorHandle::snapshot).
#[derive(Debug, Clone, Default, Serialize)]
pub struct CallSnapshot {
    /// Its counters.
    pub stats: CallStats,
    /// Its routes, in the order of the policy.
    pub routes: Vec<RouteSnapshot>,
    /// Tenants with requests that wait in this executor, and how many.
    pub waiting: Vec<(String, usize)>,
    /// How long the oldest waiting request has been waiting since it was asked, in milliseconds.
    pub oldest_waiting_ms: Option<u64>,
    /// The number of records on the ledger's topic that could not be understood. They do not count.
    pub malformed: u64,
    /// What all executors together have spent in this hour and this day, by tenant and route. Empty without a ledger.
    pub spending: Vec<Spending>,
    /// The policy's limits, and how much of them is used.
    pub limits: Vec<LimitUse>,
    /// The last requests that ended without an answer, the newest one first.
    pub failures: Vec<FailedCall>,
}

/// A request that ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedCall {
    /// When it ended, in wall time.
    pub at_ms: i64,
    /// The kind of its failure, such as `timeout`.
    pub kind: String,
    /// What the last attempt said.
    pub message: String,
    /// The number of attempts made.
    pub attempts: u32,
    /// The last route that was tried; empty if none was.
    pub route: String,
}

/// A route at a moment.
#[derive(Debug, Clone, Serialize)]
pub struct RouteSnapshot {
    /// The route's name.
    pub name: String,
    /// The state of its breaker; `None` without a breaker.
    pub breaker: Option<BreakerState>,
    /// How often the breaker has opened since the executor began.
    pub opened: u64,
    /// The attempts that run in this executor.
    pub in_flight: usize,
    /// The average time of the last attempts that were answered, in milliseconds; `None` before the first answer. It
    /// does not fall while no answer comes: see [`RouteSnapshot::last_answer_ago_ms`].
    pub latency_ms: Option<u64>,
    /// How long ago the last answer came, in milliseconds; `None` before the first answer.
    pub last_answer_ago_ms: Option<u64>,
    /// The requests that this route answered, also those that joined such a call. The rest of
    /// [`CallStats::succeeded`](crate::CallStats::succeeded) took no attempt: its answers were known or cached.
    pub succeeded: u64,
}

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// The executor at this moment.
    pub fn snapshot(&mut self) -> CallSnapshot {
        self.calls.snapshot(Moment::of(&*self.clock))
    }

    /// Goes on with the counters of an earlier executor, and shows itself there.
    pub(in crate::async_op) fn take_stats(&mut self, shown: Arc<Mutex<CallSnapshot>>) {
        self.calls.go_on_from(&shown.lock().unwrap_or_else(PoisonError::into_inner));
        self.snapshot = shown;
    }

    /// Shows the executor to its handle.
    pub(super) fn show(&mut self, now: Moment) {
        let anew = now.monotonic_ms - self.seen_ms >= SHOW_MS;
        let mut shown = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        if anew {
            self.seen_ms = now.monotonic_ms;
            *shown = self.calls.snapshot(now);
        } else {
            shown.stats = self.calls.stats();
            for (route, succeeded) in shown.routes.iter_mut().zip(self.calls.succeeded()) {
                route.succeeded = *succeeded;
            }
        }
    }
}
