//! PCM as a WAV file, in memory.

use crate::SAMPLE_RATE;

/// A WAV file of 16 kHz mono PCM.
pub(super) fn of(samples: &[i16]) -> Vec<u8> {
    let bytes = samples.len() * 2;
    let mut wav = Vec::with_capacity(44 + bytes);
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&size(36 + bytes));
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel.
    wav.extend_from_slice(&[1, 0, 1, 0]);
    wav.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    wav.extend_from_slice(&(SAMPLE_RATE * 2).to_le_bytes());
    // Two bytes for a sample of sixteen bits.
    wav.extend_from_slice(&[2, 0, 16, 0]);
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&size(bytes));
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    wav
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_says_what_it_holds() {
        let wav = super::of(&[1, -2, 3]);
        assert_eq!(wav.len(), 50);
        assert_eq!(&wav[..4], b"RIFF");
        assert_eq!(wav[4..8], 42_u32.to_le_bytes());
        assert_eq!(wav[24..28], 16_000_u32.to_le_bytes());
        assert_eq!(wav[40..44], 6_u32.to_le_bytes());
        assert_eq!(wav[46..48], (-2_i16).to_le_bytes());
    }
}
