//! Time as a parameter: the wall clock and the monotonic clock, either real or set by a test.

use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A sum of a few of these does not overflow. Longer durations are cut to this value.
pub(crate) const FOR_EVER_MS: i64 = i64::MAX / 16;

/// A duration in milliseconds, at most [`FOR_EVER_MS`].
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(FOR_EVER_MS)
}

/// Tells the time and waits. Only the runtime uses it; tasks do not.
///
/// Users may set the wall clock, also back. So only [`Clock::monotonic_ms`] measures how long an action takes and when
/// an action is due.
///
/// `Time` in Kafka's code has the same purpose. See the example of [`ManualClock`].
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The wall-clock time in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// The milliseconds since a fixed moment. This value cannot be set and never falls.
    fn monotonic_ms(&self) -> i64;

    /// Waits for the duration.
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now_ms(&self) -> i64 {
        (**self).now_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        (**self).monotonic_ms()
    }

    fn sleep(&self, duration: Duration) {
        (**self).sleep(duration);
    }
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moment {
    /// Wall-clock time: for people to read, and to compare with times that earlier processes wrote.
    pub(crate) wall_ms: i64,
    /// Monotonic time, for all other purposes.
    pub(crate) monotonic_ms: i64,
}

impl Moment {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self { wall_ms: clock.now_ms(), monotonic_ms: clock.monotonic_ms() }
    }
}

/// The machine's clock. See the example of [`Streams::start_with_clock`](crate::Streams::start_with_clock).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Where [`SystemClock::monotonic_ms`] begins.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
    }

    fn monotonic_ms(&self) -> i64 {
        BEGINNING.elapsed().as_millis() as i64
    }
}

/// A clock for tests and simulation. It moves only when a caller moves it. [`Clock::sleep`] also moves it. Clones are
/// the same clock.
///
/// ```
/// use std::time::Duration;
/// use tidemill::{Clock as _, ManualClock};
///
/// let clock = ManualClock::new(1_000_000);
/// clock.advance(Duration::from_secs(5));
/// assert_eq!((clock.now_ms(), clock.monotonic_ms()), (1_005_000, 5_000));
/// clock.set_back(Duration::from_secs(60)); // As a user or a time server does.
/// assert_eq!((clock.now_ms(), clock.monotonic_ms()), (945_000, 5_000));
/// clock.set_forward(Duration::from_secs(60));
/// assert_eq!((clock.now_ms(), clock.monotonic_ms()), (1_005_000, 5_000));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    monotonic_ms: AtomicI64,
    /// How far the wall clock is ahead of `monotonic_ms`.
    wall_ahead_ms: AtomicI64,
}

impl ManualClock {
    /// A clock that starts at the given wall time, in milliseconds since the Unix epoch. Its monotonic time starts at
    /// 0. See the example of [`ManualClock`].
    pub fn new(now_ms: i64) -> Self {
        Self(Arc::new(Hands { monotonic_ms: AtomicI64::new(0), wall_ahead_ms: AtomicI64::new(now_ms) }))
    }

    /// Moves both clocks forward. See the example of [`ManualClock`].
    pub fn advance(&self, by: Duration) {
        self.0.monotonic_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the wall clock forward. Monotonic time does not change. See the example of [`ManualClock`].
    pub fn set_forward(&self, by: Duration) {
        self.0.wall_ahead_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the wall clock back. Monotonic time does not change. See the example of [`ManualClock`].
    pub fn set_back(&self, by: Duration) {
        self.0.wall_ahead_ms.fetch_sub(millis(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.monotonic_ms() + self.0.wall_ahead_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> i64 {
        self.0.monotonic_ms.load(Ordering::SeqCst)
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_the_wall_clock_back_takes_no_time_back() {
        let clock = ManualClock::new(1_000);
        clock.advance(Duration::from_millis(5));
        clock.set_back(Duration::from_secs(3600));
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (1_005 - 3_600_000, 5));
        clock.sleep(Duration::from_millis(2));
        clock.set_forward(Duration::from_secs(3600));
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (1_007, 7));
    }
}
