//! How long to wait between attempts.

use std::time::Duration;

/// Waiting that doubles after each failure, with jitter by a seed: equal seeds wait equally long.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    draws: u64,
}

impl Backoff {
    /// Begins with `first` and never waits longer than `longest`.
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, failures: 0, draws: seed }
    }

    /// How long to wait after one more failure: between half and the whole of the doubled time. The platform's wish
    /// counts if it is longer; jitter lies on top of it, so that sources do not return at the same moment.
    pub fn failed(&mut self, wished: Option<Duration>) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        let jittered = half + half.mul_f64(self.draw());
        match wished {
            Some(wished) if wished > jittered => wished + self.first.mul_f64(self.draw()),
            _ => jittered,
        }
    }

    /// Begins anew after a success.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// A number in [0, 1), by SplitMix64.
    fn draw(&mut self) -> f64 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.draws;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(seed: u64) -> Backoff {
        Backoff::new(Duration::from_secs(1), Duration::from_secs(60), seed)
    }

    #[test]
    fn waiting_doubles_to_its_bound_and_begins_anew_after_a_success() {
        let mut backoff = backoff(7);
        for whole in [1_u64, 2, 4, 8, 16, 32, 60, 60, 60] {
            let (least, most) = (Duration::from_millis(500 * whole), Duration::from_secs(whole));
            let waits = backoff.failed(None);
            assert!((least..=most).contains(&waits), "{waits:?} of {whole} s");
        }
        backoff.succeeded();
        assert!(backoff.failed(None) <= Duration::from_secs(1));
    }

    #[test]
    fn equal_seeds_wait_equally_long_and_others_do_not() {
        let waits = |seed| {
            let mut backoff = backoff(seed);
            [(); 5].map(|()| backoff.failed(None))
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn the_platforms_wish_is_heeded() {
        let waits = backoff(3).failed(Some(Duration::from_secs(90)));
        assert!((90.0..91.0).contains(&waits.as_secs_f64()), "{waits:?}");
    }
}
