//! Numbers that look random and are functions of what they are drawn for.

/// A sequence of numbers that depends only on what it was made from.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    /// A sequence for these parts, in this order.
    pub(crate) fn of(seed: u64, what: &str, number: u64) -> Self {
        // FNV-1a.
        let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = what.bytes().chain(number.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325 ^ seed, add);
        Self(hash)
    }

    /// The next number: `SplitMix64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Whether something strikes whose share is `share`.
    pub(crate) fn strikes(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64 / (1_u64 << 53) as f64) < share
    }

    /// A whole number from 0, below `end`. `end` is at least 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// One of these. There must be at least one.
    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}
