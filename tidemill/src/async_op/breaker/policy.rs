//! When a route's breaker opens, and for how long.

use serde::Serialize;
use std::{fmt, time::Duration};

/// When attempts at a route stop because the route fails, and when they start again (a circuit breaker). Durations are
/// wall time.
///
/// ```text
///          too many failures                 the pause is over
/// closed ───────────────────→ open ──────────────────────────→ half-open
///    ↑    or an asked pause    ↑                                  │  │
///    │                         └───────── a probe failed ─────────┘  │
///    └──────────────────────────── the probes succeeded ─────────────┘
/// ```
///
/// A closed breaker lets every attempt through. It opens after too many failures: either
/// [`failures`](Self::failures) in a row, or [`failed_percent`](Self::failed_percent) of the last
/// [`window`](Self::window) attempts. An open breaker lets no attempt through, so requests wait or use another route,
/// and the failing service gets no further load. After the pause, [`probes`](Self::probes) attempts may find out whether
/// the service works again. Each time that a probe fails, the next pause is twice as long.
///
/// Failures come sooner than answers. So both numbers grow with the attempts that still run: while 300 attempts have no
/// outcome, the breaker opens after 300 failures in a row, or by the share of the last 300 outcomes.
///
/// Only failures that say something about the route count: timeouts, lost connections, overload, a refused key, a model
/// that does not exist or whose answers cannot be used. A request that the service refused for its content counts
/// neither as a failure nor as a success. An attempt that began
/// before the breaker opened does not close it.
///
/// A service that asks for a pause (`Retry-After`) opens the breaker for at least that pause, but at most for a day.
///
/// ```
/// # use std::time::Duration;
/// use tidemill::BreakerPolicy;
///
/// // Opens after 3 failures in a row, first for 30 s, and closes after 2 successful probes.
/// let policy = BreakerPolicy {
///     failures: 3,
///     open_for: Duration::from_secs(30),
///     probes: 2,
///     ..BreakerPolicy::default()
/// };
/// assert_eq!(policy.longest, Duration::from_secs(120));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// The breaker opens after this many failed attempts in a row. 0: failures in a row do not count. Default 5.
    pub failures: u32,
    /// The number of last attempts of which the share of failed ones is taken. 0: the share does not count. Default 20.
    pub window: u32,
    /// The share counts only from this many attempts on, and at the latest when the window is full. Default 20.
    pub minimum: u32,
    /// The breaker opens when this share of the window has failed, in percent. Default 50.
    pub failed_percent: u32,
    /// The first pause. It doubles each time that a probe fails. Default 10 s.
    pub open_for: Duration,
    /// The longest pause, unless the service asks for a longer one. Default 2 min.
    pub longest: Duration,
    /// The number of probes that may run at the same time, and that must succeed before the breaker closes. At least
    /// one. Default 1.
    pub probes: u32,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            window: 20,
            minimum: 20,
            failed_percent: 50,
            open_for: Duration::from_secs(10),
            longest: Duration::from_secs(120),
            probes: 1,
        }
    }
}

impl BreakerPolicy {
    /// The pause after `opened` openings without a close in between.
    pub(super) fn pause_ms(&self, opened: u32) -> i64 {
        let doubled = self.open_for.saturating_mul(1 << opened.min(20));
        i64::try_from(doubled.min(self.longest).as_millis()).unwrap_or(i64::MAX)
    }

    /// How many probes may run at the same time.
    pub(super) fn places(&self) -> usize {
        self.probes.max(1) as usize
    }
}

/// What a route's breaker does with attempts. See [`BreakerPolicy`].
///
/// ```
/// use tidemill::BreakerState;
///
/// /// What to tell an operator.
/// fn advice(state: BreakerState, now_ms: i64) -> String {
///     match state {
///         BreakerState::Closed => "the route works".to_owned(),
///         BreakerState::Open { until_ms } => format!("the route is tried again in {} s", (until_ms - now_ms) / 1000),
///         BreakerState::HalfOpen => "the next attempts show whether the route works again".to_owned(),
///     }
/// }
/// assert_eq!(advice(BreakerState::Open { until_ms: 9_000 }, 2_000), "the route is tried again in 7 s");
/// assert_eq!(BreakerState::HalfOpen.to_string(), "half-open");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Every attempt may start.
    Closed,
    /// No attempt starts before this moment.
    Open {
        /// In milliseconds, on the executor's monotonic clock.
        until_ms: i64,
    },
    /// A few attempts may start, to find out whether the route works again.
    HalfOpen,
}

impl BreakerState {
    /// A short name, for example for a metric's label: `closed`, `open` or `half-open`. See the example of
    /// [`BreakerState`].
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
