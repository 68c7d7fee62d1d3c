//! A clock that is faster than the machine's, so that a run of minutes sees hours, and dead members soon count as dead.

use std::time::{SystemTime, UNIX_EPOCH};

use tidemill::Clock;

/// The wall time of this machine, in milliseconds.
pub(crate) fn real_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A fast clock, the same in all processes. It begins in the past, so that no broker takes its times for mistakes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fast {
    began_real_ms: i64,
    began_ms: i64,
    speed: i64,
}

impl Fast {
    /// `began_real_ms` is when the run began. On this clock it was four o'clock in the morning before yesterday.
    pub(crate) fn new(began_real_ms: i64, speed: u32) -> Self {
        const DAY_MS: i64 = 86_400_000;
        let began_ms = (began_real_ms / DAY_MS - 2) * DAY_MS + DAY_MS / 6;
        Self { began_real_ms, began_ms, speed: speed.into() }
    }
}

impl Clock for Fast {
    fn now_ms(&self) -> i64 {
        self.began_ms + (real_ms() - self.began_real_ms) * self.speed
    }

    fn monotonic_ms(&self) -> i64 {
        self.now_ms()
    }
}
