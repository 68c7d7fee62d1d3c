//! A script as sound: one track of 22,050 samples a second.

use std::io;
use std::process::{Command, Stdio};

use crate::script::{Line, Spoken};

/// Samples per second; those of espeak-ng.
pub(crate) const RATE: i64 = 22_050;

/// The track of `seconds` seconds, and when each line was spoken.
pub(crate) fn track(lines: &[Line], seconds: u32) -> (Vec<i16>, Vec<Spoken>) {
    let mut track = vec![0_i16; (i64::from(seconds) * RATE) as usize];
    let mut spoken = Vec::new();
    for line in lines {
        let from = (line.start_ms * RATE / 1000).max(0) as usize;
        if from >= track.len() {
            continue;
        }
        let samples = say(&line.text).unwrap_or_else(|_| tone(&line.text));
        let to = (from + samples.len()).min(track.len());
        track[from..to].copy_from_slice(&samples[..to - from]);
        let end_ms = line.start_ms + (to - from) as i64 * 1000 / RATE;
        spoken.push(Spoken { start_ms: line.start_ms, end_ms, text: line.text.clone() });
    }
    (track, spoken)
}

fn say(text: &str) -> io::Result<Vec<i16>> {
    let output = Command::new("espeak-ng")
        .args(["-v", "en", "-s", "150", "--stdout", "--", text])
        .stderr(Stdio::null())
        .output()?;
    // A WAV file whose header tells no length, because it was written into a pipe: the samples follow 44 bytes.
    let rate =
        output.stdout.get(24..28).map(|bytes| i64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])));
    match (output.status.success(), rate) {
        (true, Some(RATE)) => Ok(samples(output.stdout.get(44..).unwrap_or_default())),
        _ => Err(io::Error::other("espeak-ng gave no speech")),
    }
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
}

/// 300 milliseconds of tone and 50 of silence for each word: as loud and as long as speech.
fn tone(text: &str) -> Vec<i16> {
    let mut samples = Vec::new();
    for (index, _) in text.split_whitespace().enumerate() {
        let pitch = 220.0 + 30.0 * (index % 5) as f64;
        let sample = |at: i64| ((at as f64 / RATE as f64 * pitch * std::f64::consts::TAU).sin() * 9000.0) as i16;
        samples.extend((0..RATE * 3 / 10).map(sample));
        samples.extend(vec![0; (RATE / 20) as usize]);
    }
    samples
}

/// Samples per second of content whose samples are kept as they are.
pub(crate) const EXACT_RATE: u32 = 16_000;

/// A track as a WAV file.
pub(crate) fn wav(track: &[i16]) -> Vec<u8> {
    let mut file = header(RATE as u32, track.len() as u32 * 2);
    file.extend(track.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// The header of a WAV file with so many bytes of samples; `u32::MAX` if that is not known.
pub(crate) fn header(rate: u32, bytes: u32) -> Vec<u8> {
    let mut file = Vec::with_capacity(44);
    file.extend(b"RIFF");
    file.extend(bytes.saturating_add(36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1_u16, 1].into_iter().flat_map(u16::to_le_bytes));
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    file.extend([2_u16, 16].into_iter().flat_map(u16::to_le_bytes));
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file
}
