//! The position in the script, in the lowest bit of samples.

/// Samples in a block. Each block carries its number.
pub(crate) const BLOCK: usize = 160;
/// Milliseconds of a block.
pub(crate) const BLOCK_MS: i64 = 10;
const SYNC: u64 = 0b1010_0101_1100_0011;
const BITS: usize = 16 + 32 + 8;

/// Writes a block's number into its samples.
pub(crate) fn write(samples: &mut [i16], number: u32) {
    let code = code(number);
    for (bit, sample) in samples.iter_mut().take(BITS).enumerate() {
        *sample = (*sample & !1) | ((code >> (BITS - 1 - bit)) & 1) as i16;
    }
}

/// The script's position of the first sample, in samples, if the audio carries one.
pub(crate) fn read(samples: &[i16]) -> Option<i64> {
    (0..samples.len().saturating_sub(BITS).min(2 * BLOCK)).find_map(|offset| {
        let mut found = 0_u64;
        for sample in &samples[offset..offset + BITS] {
            found = (found << 1) | (*sample & 1) as u64;
        }
        let number = (found >> 8) as u32;
        (found == code(number)).then(|| i64::from(number) * BLOCK as i64 - offset as i64)
    })
}

fn code(number: u32) -> u64 {
    let check = number.to_le_bytes().iter().fold(0x5a_u8, |sum, byte| sum.rotate_left(3) ^ byte);
    (SYNC << 40) | (u64::from(number) << 8) | u64::from(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_from_any_sample_on() {
        let mut samples: Vec<i16> = (0..BLOCK * 4).map(|i| (i * 37 % 2_000) as i16).collect();
        for (block, samples) in samples.chunks_exact_mut(BLOCK).enumerate() {
            write(samples, 70_000 + block as u32);
        }
        for offset in [0, 1, 100, 159, 160, 200] {
            assert_eq!(read(&samples[offset..]), Some(70_000 * BLOCK as i64 + offset as i64));
        }
        assert_eq!(read(&[0; 1_000]), None);
    }
}
