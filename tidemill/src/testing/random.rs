//! The simulator's random numbers: `SplitMix64`, so a seed gives the same numbers on every machine and in every
//! release.

/// A sequence of random numbers that its seed determines (`SplitMix64`). It is not made for secrets.
///
/// ```
/// use tidemill::testing::SimulationRandom;
///
/// let (mut one, mut other) = (SimulationRandom::new(7), SimulationRandom::new(7));
/// assert_eq!(one.next_u64(), other.next_u64());
/// assert!(one.below(6) < 6);
/// assert_eq!(one.below(0), 0);
/// assert!(one.happens(1.0) && !one.happens(0.0));
/// ```
#[derive(Debug, Clone)]
pub struct SimulationRandom(u64);

impl SimulationRandom {
    /// The sequence for a seed. See the example of [`SimulationRandom`].
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number. See the example of [`SimulationRandom`].
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not including, `bound`. Returns 0 if `bound` is 0. See the example of
    /// [`SimulationRandom`].
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }

    /// Returns `true` with this probability, from 0 to 1. See the example of [`SimulationRandom`].
    pub fn happens(&mut self, probability: f64) -> bool {
        // A float represents 53 bits exactly.
        ((self.next_u64() >> 11) as f64) / ((1_u64 << 53) as f64) < probability
    }
}

#[cfg(test)]
mod tests {
    use super::SimulationRandom;

    #[test]
    fn a_seed_always_gives_the_published_numbers() {
        let mut random = SimulationRandom::new(1_234_567);
        let numbers = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
