//! Limits for calls: concurrency, timeouts and retries.

use std::{sync::Arc, time::Duration};

use super::{BreakerPolicy, Limit, Retry};
use crate::partitioner::murmur2;

/// How an executor makes calls. Durations are wall time.
///
/// The pause before an attempt is between half of the stated value and all of it; the request's id decides. Requests
/// that failed together are therefore not retried together.
///
/// ```
/// # use std::time::Duration;
/// use tidemill::CallPolicy;
///
/// // At most 4 calls at a time, each for at most 5 s. Attempts 2 and 3 come after up to 1 s and 2 s.
/// let policy = CallPolicy {
///     max_in_flight: 4,
///     timeout: Duration::from_secs(5),
///     max_attempts: 3,
///     first_backoff: Duration::from_secs(1),
///     ..CallPolicy::default()
/// };
/// assert_eq!(policy.max_backoff, Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CallPolicy {
    /// The number of attempts that may run at the same time in this executor. Default 16. For all executors together,
    /// see [`CallPolicy::limits`].
    pub max_in_flight: usize,
    /// The number of attempts that may run at the same time for one key. Default: no limit.
    pub max_in_flight_per_key: usize,
    /// An attempt that takes longer than this has failed. Default 30 s.
    pub timeout: Duration,
    /// The number of attempts for each request on each route, at least one. Default 4.
    pub max_attempts: u32,
    /// The pause after the first failed attempt. It doubles after each further attempt. Default 500 ms.
    pub first_backoff: Duration,
    /// The longest pause. Default 30 s.
    pub max_backoff: Duration,
    /// Whether answered requests are deleted from the request topic, so the topic does not keep their data. Default
    /// true.
    pub purge_requests: bool,
    /// The targets of calls, in the order in which they are tried (the fallback chain). Default: one route, named
    /// `default`.
    pub routes: Vec<Route>,
    /// Limits that all executors of the step share: attempts at the same time, calls and tokens per minute, budgets in
    /// tokens and money per hour and day; for all tenants, for each, for one. They and what was spent are kept in the
    /// log. All executors must have the same limits. Default: none.
    pub limits: Vec<Limit>,
    /// Whether what was spent is kept in the log even without limits. Default false.
    pub keep_ledger: bool,
    /// What happens to a request for which the limits leave no room. Default: it waits.
    pub when_exhausted: WhenExhausted,
    /// A second attempt starts beside one that has run for this long, on the same route; the first answer counts. Both
    /// are paid. Default: none.
    pub hedge_after: Option<Duration>,
    /// Keeps answers by content. It needs [`Caller::content`](crate::Caller::content). Default: none.
    pub cache: Option<AnswerCache>,
    /// Whether requests with the same content ([`Caller::content`](crate::Caller::content)) that wait or run at the
    /// same time share one call. Default true.
    pub join_identical: bool,
    /// Hands several requests to the caller at once ([`Caller::call_batch`](crate::Caller::call_batch)). Language models
    /// with tools are asked for each request alone, as [the guide](crate::guide::paid_twice) says. Default: none.
    pub batch: Option<Batch>,
    /// The number of requests that an executor holds in memory, so that a burst of one tenant does not hide the others
    /// behind it. Default 10,000.
    pub max_read_ahead: usize,
}

/// A target of calls, such as a model of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name. The caller reads it in [`CallRequest::route`](crate::CallRequest::route).
    pub name: Arc<str>,
    /// Attempts on this route, if not [`CallPolicy::max_attempts`].
    pub max_attempts: Option<u32>,
    /// Time for an attempt on this route, if not [`CallPolicy::timeout`].
    pub timeout: Option<Duration>,
    /// Stops attempts on the route while it fails. Default: none.
    pub breaker: Option<BreakerPolicy>,
}

impl Route {
    /// A route that follows the policy's own attempts and timeout.
    ///
    /// ```
    /// use tidemill::{CallPolicy, Route};
    ///
    /// let routes = ["large-model", "small-model", "offline"].map(Route::named).into();
    /// let policy = CallPolicy { routes, ..CallPolicy::default() };
    /// ```
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), max_attempts: None, timeout: None, breaker: None }
    }
}

/// What happens to a request for which the limits leave no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenExhausted {
    /// The request waits until there is room, for example in the next hour.
    #[default]
    Wait,
    /// The next route is tried. After the last one, the request fails with
    /// [`FailureKind::Exhausted`](crate::FailureKind::Exhausted). Limits on calls at the same time and per minute pass
    /// soon, so the request waits for them.
    Fallback,
    /// The request is dropped: nothing is emitted for it. It is counted. Limits on calls at the same time and per
    /// minute pass soon, so the request waits for them.
    Drop,
}

/// How answers are kept by content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerCache {
    /// How long an answer is good.
    pub time_to_live: Duration,
    /// The number of answers that an executor holds in memory.
    pub max_entries: u64,
}

/// How requests are put together into one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The largest number of requests in a call.
    pub max: usize,
    /// How long a request may wait for others.
    pub linger: Duration,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self {
            max_in_flight: 16,
            timeout: Duration::from_secs(30),
            max_attempts: 4,
            first_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            max_in_flight_per_key: usize::MAX,
            purge_requests: true,
            routes: vec![Route::named("default")],
            limits: Vec::new(),
            keep_ledger: false,
            when_exhausted: WhenExhausted::default(),
            hedge_after: None,
            cache: None,
            join_identical: true,
            batch: None,
            max_read_ahead: 10_000,
        }
    }
}

impl CallPolicy {
    /// How long to wait after attempt number `attempt` (from 1) on a route failed.
    ///
    /// Half of the pause depends on the request. Requests that failed together are therefore not retried together.
    pub(super) fn pause(&self, attempt: u32, retry: Retry, id: &[u8]) -> Duration {
        let doubled = self.first_backoff.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let longest = doubled.min(self.max_backoff);
        let spread = f64::from(murmur2(id) ^ attempt.wrapping_mul(0x9e37_79b9)) / f64::from(u32::MAX);
        let pause = longest.mul_f64(0.5 + spread / 2.0);
        match retry {
            Retry::After(asked) => pause.max(asked),
            Retry::Backoff | Retry::Never | Retry::OtherRoute => pause,
        }
    }

    /// Whether executors write a ledger.
    pub(super) const fn has_ledger(&self) -> bool {
        self.keep_ledger || !self.limits.is_empty()
    }

    /// Says what is wrong with the policy, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.routes.is_empty() {
            return Err("the call's policy has no route: name at least one in `routes`".to_owned());
        }
        for (at, route) in self.routes.iter().enumerate() {
            if self.routes[..at].iter().any(|other| other.name == route.name) {
                return Err(format!("the call's policy has two routes named {:?}: name each differently", route.name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = CallPolicy { max_backoff: Duration::from_secs(1), ..CallPolicy::default() };
        for (attempt, (low, high)) in (1..).zip([(250, 500), (500, 1000), (500, 1000)]) {
            let millis = policy.pause(attempt, Retry::Backoff, b"id").as_millis();
            assert!((low..=high).contains(&millis), "{millis} in {low}..={high}");
        }
    }

    #[test]
    fn a_longer_wish_is_granted() {
        let policy = CallPolicy::default();
        assert_eq!(policy.pause(1, Retry::After(Duration::from_secs(7)), b"id"), Duration::from_secs(7));
    }
}
