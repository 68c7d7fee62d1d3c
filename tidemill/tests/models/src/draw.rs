//! Numbers that look random and are functions of what they are drawn for.

/// A sequence of numbers that depends only on what it was made from. Its values never change between versions: recorded
/// runs rely on them.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    /// A sequence for these parts, in this order.
    pub(crate) fn of(seed: u64, parts: &[&str]) -> Self {
        // FNV-1a. The length separates ("ab", "c") from ("a", "bc").
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
        let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        for part in parts {
            part.len().to_le_bytes().into_iter().for_each(&mut add);
            part.bytes().for_each(&mut add);
        }
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

    /// A share: from 0, below 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number within these bounds, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        match most.saturating_sub(least).checked_add(1) {
            Some(width) => least + self.next() % width,
            None => self.next(),
        }
    }

    /// One of these. There must be at least one.
    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.between(0, choices.len() as u64 - 1) as usize]
    }

    /// Whether something strikes whose share is `share`.
    pub(crate) fn strikes(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// A number near 0, normally distributed with a deviation of 1, never beyond 3.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.share()).cos()).clamp(-3.0, 3.0)
    }

    /// Sixteen hexadecimal digits.
    pub(crate) fn hex(&mut self) -> String {
        format!("{:016x}", self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn a_draw_depends_on_its_parts_and_their_borders() {
        let first = |seed, parts: &[&str]| Draw::of(seed, parts).next();
        assert_eq!(first(1, &["ab", "c"]), first(1, &["ab", "c"]));
        assert_ne!(first(1, &["ab", "c"]), first(1, &["a", "bc"]));
        assert_ne!(first(1, &["ab", "c"]), first(2, &["ab", "c"]));
    }

    #[test]
    fn shares_are_spread_evenly() {
        let mut draw = Draw::of(1, &[]);
        let below = (0..10_000).filter(|_| draw.strikes(0.3)).count();
        assert!((2_800..3_200).contains(&below), "{below} of 10,000 are below 0.3");
    }
}
