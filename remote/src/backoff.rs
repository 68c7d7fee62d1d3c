//! How long to wait between attempts.

use std::time::Duration;

use crate::Random;

/// Pauses that double with each failure in a row. Half of each is drawn, so that many clients do not return at once.
/// Equal seeds give equal pauses.
///
/// ```
/// use std::time::Duration;
/// use tidemill_remote::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 7);
/// let first = backoff.failed(None);
/// assert!(first >= Duration::from_millis(500) && first <= Duration::from_secs(1));
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    random: Random,
}

impl Backoff {
    /// Begins with `first` and never waits longer than `longest`, unless a service asks for it.
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, failures: 0, random: Random::new(seed) }
    }

    /// How long to wait after one more failure: between half and the whole of the doubled pause. If the service asks for
    /// a longer pause, that one counts; a part of the first pause is drawn on top of it.
    pub fn failed(&mut self, asked: Option<Duration>) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let pause = whole / 2 + (whole / 2).mul_f64(self.random.share());
        match asked {
            Some(asked) if asked > pause => asked.saturating_add(self.first.mul_f64(self.random.share())),
            _ => pause,
        }
    }

    /// Begins anew with the first pause.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(seed: u64) -> Backoff {
        Backoff::new(Duration::from_secs(1), Duration::from_secs(60), seed)
    }

    #[test]
    fn pauses_double_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = backoff(7);
        for whole in [1_u64, 2, 4, 8, 16, 32].into_iter().chain([60; 40]) {
            let (least, most) = (Duration::from_millis(500 * whole), Duration::from_secs(whole));
            let pause = backoff.failed(None);
            assert!((least..=most).contains(&pause), "{pause:?} of {whole} s");
        }
        assert_eq!(backoff.failures(), 46);
        backoff.succeeded();
        assert!(backoff.failed(None) <= Duration::from_secs(1));
    }

    #[test]
    fn equal_seeds_pause_equally_long_and_others_do_not() {
        let pauses = |seed| {
            let mut backoff = backoff(seed);
            [(); 5].map(|()| backoff.failed(None))
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }

    #[test]
    fn a_longer_pause_that_the_service_asks_for_counts() {
        let pause = backoff(3).failed(Some(Duration::from_secs(90)));
        assert!((90.0..91.0).contains(&pause.as_secs_f64()), "{pause:?}");
        assert!(backoff(3).failed(Some(Duration::MAX)) == Duration::MAX);
    }
}
