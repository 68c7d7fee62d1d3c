//! The sound of a script.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use crate::position::{BLOCK, BLOCK_MS};
use crate::{SAMPLES_PER_MS, Script, position};

/// The PCM of a script, ten milliseconds at a time: pulses through two resonances, as in vowels, and silence.
#[derive(Debug, Clone)]
pub struct Voice {
    script: Arc<Script>,
    block: u32,
    /// The word that is spoken next, or now.
    word: usize,
    resonances: [[f64; 2]; 2],
    phase: f64,
    noise: u64,
}

/// The two lowest resonances of some vowels, in hertz.
const VOWELS: [[f64; 2]; 5] = [[700.0, 1_200.0], [300.0, 2_300.0], [500.0, 900.0], [400.0, 1_900.0], [600.0, 1_700.0]];

impl Voice {
    /// The sound of this script from its beginning.
    pub fn new(script: Arc<Script>) -> Self {
        Self { script, block: 0, word: 0, resonances: [[0.0; 2]; 2], phase: 0.0, noise: 1 }
    }

    /// The next `ms` milliseconds, or less at the end. `ms` is a multiple of ten.
    pub fn take_ms(&mut self, ms: i64) -> Vec<i16> {
        self.by_ref().take((ms / BLOCK_MS) as usize).flatten().collect()
    }

    fn sample(&mut self, at: i64) -> i16 {
        let sample = |ms: i64| ms * SAMPLES_PER_MS as i64;
        while self.script.words.get(self.word).is_some_and(|word| sample(word.end_ms) <= at) {
            self.word += 1;
            self.resonances = [[0.0; 2]; 2];
        }
        let Some(word) = self.script.words.get(self.word).filter(|word| sample(word.start_ms) <= at) else { return 0 };
        let share = (at - sample(word.start_ms)) as f64 / sample(word.end_ms - word.start_ms) as f64;
        self.phase += (120.0 + 20.0 * (share * 3.0).sin() + (self.word % 7) as f64 * 5.0) / 16_000.0;
        let mut source = 0.0;
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            source = 1.0;
        }
        self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        source += ((self.noise >> 40) as f64 / (1_u64 << 24) as f64 - 0.5) * 0.05;
        let mut sum = 0.0;
        for ([last, before], hertz) in self.resonances.iter_mut().zip(VOWELS[self.word % VOWELS.len()]) {
            let next = source + 2.0 * 0.97 * (TAU * hertz / 16_000.0).cos() * *last - 0.97 * 0.97 * *before;
            (*before, *last) = (*last, next);
            sum += next;
        }
        (sum * (share * PI).sin().sqrt() * 2_500.0).clamp(-32_000.0, 32_000.0) as i16
    }
}

impl Iterator for Voice {
    type Item = Vec<i16>;

    fn next(&mut self) -> Option<Vec<i16>> {
        if i64::from(self.block) * BLOCK_MS >= self.script.length_ms {
            return None;
        }
        let first = i64::from(self.block) * BLOCK as i64;
        let mut samples: Vec<i16> = (0..BLOCK as i64).map(|i| self.sample(first + i)).collect();
        position::write(&mut samples, self.block);
        self.block += 1;
        Some(samples)
    }
}
