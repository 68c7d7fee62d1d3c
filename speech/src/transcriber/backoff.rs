//! Pauses between attempts.

use std::time::Duration;

/// Pauses that double with each break in a row, and differ by a seed.
#[derive(Debug)]
pub(super) struct Backoff {
    shortest_ms: u64,
    longest_ms: u64,
    breaks: u32,
    random: u64,
}

impl Backoff {
    pub(super) fn new(shortest_ms: u64, longest_ms: u64, seed: u64) -> Self {
        Self { shortest_ms: shortest_ms.max(1), longest_ms: longest_ms.max(1), breaks: 0, random: seed }
    }

    /// The pause after one more break: between half and all of the doubled pause, and not shorter than the service asks.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.shortest_ms.saturating_mul(1 << self.breaks.min(20)).min(self.longest_ms);
        self.breaks += 1;
        let pause = doubled - self.draw() % (doubled / 2 + 1);
        Duration::from_millis(pause).max(asked.unwrap_or_default())
    }

    /// The recogniser works again.
    pub(super) fn reset(&mut self) {
        self.breaks = 0;
    }

    /// The next random number: `SplitMix64`.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_differ_by_seed() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(500, 8_000, seed);
            (0..8).map(|_| backoff.next(None).as_millis()).collect::<Vec<_>>()
        };
        for (i, pause) in pauses(7).into_iter().enumerate() {
            let doubled = (500 << i).min(8_000);
            assert!((doubled / 2..=doubled).contains(&pause), "{i}: {pause}");
        }
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
    }

    #[test]
    fn the_service_may_ask_for_a_longer_pause() {
        let mut backoff = Backoff::new(500, 8_000, 1);
        assert_eq!(backoff.next(Some(Duration::from_secs(20))), Duration::from_secs(20));
        for _ in 0..8 {
            backoff.next(None);
        }
        backoff.reset();
        assert!(backoff.next(None) <= Duration::from_millis(500));
    }
}
