//! Time as a parameter: the wall clock, and time that passes. Real, or moved by hand.

use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// No sum of a few of these overflows; what is longer is for ever.
pub(crate) const FOR_EVER_MS: i64 = i64::MAX / 16;

/// A length of time as it is counted with.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(FOR_EVER_MS)
}

/// Tells time and waits. The runtime asks it; tasks never do.
///
/// The wall clock says what the time is, and anybody may set it, also back. How long something takes, and when something
/// is due, is measured with [`Clock::monotonic_ms`] alone.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// What the wall clock shows, in milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// How many milliseconds have passed since some moment. Nobody sets it, and it never falls.
    fn monotonic_ms(&self) -> i64;

    /// Waits.
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

/// One moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moment {
    /// What the wall clock shows: for what people read, and for what is compared with other lives of the process.
    pub(crate) wall_ms: i64,
    /// The time that has passed: for everything else.
    pub(crate) monotonic_ms: i64,
}

impl Moment {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self { wall_ms: clock.now_ms(), monotonic_ms: clock.monotonic_ms() }
    }
}

/// The machine's clock.
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

/// A clock that moves only when told to: tests and simulation. Whoever waits by it moves it on.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    monotonic_ms: AtomicI64,
    /// How far the wall clock is ahead of it.
    wall_ahead_ms: AtomicI64,
}

impl ManualClock {
    /// Starts at a given wall time.
    pub fn new(now_ms: i64) -> Self {
        Self(Arc::new(Hands { monotonic_ms: AtomicI64::new(0), wall_ahead_ms: AtomicI64::new(now_ms) }))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.monotonic_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the wall clock forward, as somebody may who corrects it. No time passes.
    pub fn set_forward(&self, by: Duration) {
        self.0.wall_ahead_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the wall clock back, as somebody may who corrects it. No time passes.
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
