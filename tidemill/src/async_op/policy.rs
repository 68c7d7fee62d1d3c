//! Limits for calls: concurrency, timeouts and retries.

use std::time::Duration;

use super::{CallError, Retry};
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPolicy {
    /// The number of calls that may run at the same time. Default 16.
    pub max_in_flight: usize,
    /// An attempt that takes longer than this has failed. Default 30 s.
    pub timeout: Duration,
    /// The number of attempts for each request, at least one. Default 4.
    pub max_attempts: u32,
    /// The pause after the first failed attempt. It doubles after each further attempt. Default 500 ms.
    pub first_backoff: Duration,
    /// The longest pause. Default 30 s.
    pub max_backoff: Duration,
    /// Whether answered requests are deleted from the request topic, so the topic does not keep their data. Default
    /// true.
    pub purge_requests: bool,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self {
            max_in_flight: 16,
            timeout: Duration::from_secs(30),
            max_attempts: 4,
            first_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            purge_requests: true,
        }
    }
}

impl CallPolicy {
    /// How long to wait after attempt number `attempt` (from 1) failed. `None` means that no attempt follows.
    ///
    /// Half of the pause depends on the request. Requests that failed together are therefore not retried together.
    pub(crate) fn pause(&self, attempt: u32, error: &CallError, id: &[u8]) -> Option<Duration> {
        if attempt >= self.max_attempts || error.retry == Retry::Never {
            return None;
        }
        let doubled = self.first_backoff.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let longest = doubled.min(self.max_backoff);
        let spread = f64::from(murmur2(id) ^ attempt.wrapping_mul(0x9e37_79b9)) / f64::from(u32::MAX);
        let pause = longest.mul_f64(0.5 + spread / 2.0);
        Some(match error.retry {
            Retry::After(asked) => pause.max(asked),
            Retry::Backoff | Retry::Never => pause,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_end_with_the_last_attempt() {
        let policy = CallPolicy { max_backoff: Duration::from_secs(1), ..CallPolicy::default() };
        let error = CallError::transient("busy");
        let pauses: Vec<_> = (1..=4).map(|attempt| policy.pause(attempt, &error, b"id")).collect();
        let bounds = [(250, 500), (500, 1000), (500, 1000)];
        for (pause, (low, high)) in pauses.iter().zip(bounds) {
            let millis = pause.map(|pause| pause.as_millis());
            assert!(millis.is_some_and(|millis| (low..=high).contains(&millis)), "{millis:?} in {low}..={high}");
        }
        assert_eq!(pauses[3], None);
    }

    #[test]
    fn a_permanent_error_is_not_repeated_and_a_longer_wish_is_granted() {
        let policy = CallPolicy::default();
        assert_eq!(policy.pause(1, &CallError::permanent("no"), b"id"), None);
        let asked = CallError::retry_after("later", Duration::from_secs(7));
        assert_eq!(policy.pause(1, &asked, b"id"), Some(Duration::from_secs(7)));
    }
}
