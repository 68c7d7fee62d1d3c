//! Waiting times between attempts: they double, and half of each is drawn, so that many clients do not come at once.

use std::time::Duration;

/// Waiting times that grow from `first` to `most`. Equal seeds give equal times.
///
/// ```
/// use std::time::Duration;
/// use tidemill_media::process::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 7);
/// let first = backoff.next();
/// assert!(first >= Duration::from_millis(500) && first <= Duration::from_secs(1));
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    attempt: u32,
    state: u64,
}

impl Backoff {
    /// Waiting times of this seed.
    pub fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, attempt: 0, state: seed }
    }

    /// The next waiting time: between half of the step and the whole step.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and nobody iterates over it")]
    pub fn next(&mut self) -> Duration {
        let step = self.first.saturating_mul(1_u32 << self.attempt.min(20)).min(self.most);
        self.attempt = self.attempt.saturating_add(1);
        step / 2 + (step / 2).mul_f64(self.share())
    }

    /// Begins again with the shortest time.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// `SplitMix64`: a share from 0, below 1.
    fn share(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    fn times(seed: u64) -> Vec<Duration> {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10), seed);
        (0..40).map(|_| backoff.next()).collect()
    }

    #[test]
    fn times_double_up_to_the_longest_and_follow_the_seed() {
        assert_eq!(times(1), times(1));
        assert_ne!(times(1), times(2));
        for (index, time) in times(3).into_iter().enumerate() {
            let step = Duration::from_secs(1_u64.checked_shl(index as u32).unwrap_or(u64::MAX).clamp(1, 10));
            assert!(time >= step / 2 && time <= step, "{index}: {time:?}");
        }
    }
}
