//! PCM with event times as frames of one length, on a time line without small jumps.

use crate::SAMPLES_PER_MS;

/// Samples in a frame.
pub(crate) const FRAME: usize = 256;
/// Milliseconds of a frame.
pub(crate) const FRAME_MS: i64 = (FRAME / SAMPLES_PER_MS) as i64;
/// Clocks of sources tremble. Up to this difference, audio follows what came before.
const TREMBLE_MS: i64 = 250;
/// A source that connects again may repeat this much. A jump further back is another time line.
const REPEATED_MS: i64 = 60_000;

/// Cuts PCM into frames.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// Samples that do not fill a frame yet.
    rest: Vec<i16>,
    /// The event time of the first of them, once audio came.
    next_ms: Option<i64>,
}

/// What became of a piece of PCM.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Framed {
    /// The audio does not follow what came before.
    pub(crate) jumped: bool,
    /// How much of it was known and left out.
    pub(crate) repeated_ms: i64,
    /// Whole frames with their event times.
    pub(crate) frames: Vec<(i64, Vec<i16>)>,
}

impl Framer {
    /// Takes PCM that begins at this event time.
    pub(crate) fn push(&mut self, mut samples: &[i16], start_ms: i64) -> Framed {
        let mut framed = Framed::default();
        if let Some(next_ms) = self.next_ms {
            let expected_ms = next_ms + self.rest.len() as i64 / SAMPLES_PER_MS as i64;
            let ahead_ms = start_ms.saturating_sub(expected_ms);
            if (-REPEATED_MS..-TREMBLE_MS).contains(&ahead_ms) {
                let known = ((-ahead_ms) as usize * SAMPLES_PER_MS).min(samples.len());
                framed.repeated_ms = (known / SAMPLES_PER_MS) as i64;
                samples = &samples[known..];
            } else if ahead_ms.abs() > TREMBLE_MS {
                framed.jumped = true;
                self.rest.clear();
                self.next_ms = Some(start_ms);
            }
        } else {
            self.next_ms = Some(start_ms);
        }
        self.rest.extend_from_slice(samples);
        let mut next_ms = self.next_ms.unwrap_or(start_ms);
        let whole = self.rest.len() / FRAME * FRAME;
        for frame in self.rest[..whole].chunks_exact(FRAME) {
            framed.frames.push((next_ms, frame.to_vec()));
            next_ms = next_ms.saturating_add(FRAME_MS);
        }
        self.rest.drain(..whole);
        self.next_ms = Some(next_ms);
        framed
    }

    /// The samples that do not fill a frame, filled with silence: no audio follows.
    pub(crate) fn flush(&mut self) -> Option<(i64, Vec<i16>)> {
        let start_ms = self.next_ms?;
        if self.rest.is_empty() {
            return None;
        }
        let mut frame = std::mem::take(&mut self.rest);
        frame.resize(FRAME, 0);
        self.next_ms = Some(start_ms + FRAME_MS);
        Some((start_ms, frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(framer: &mut Framer, ms: usize, start_ms: i64) -> Framed {
        framer.push(&vec![1; ms * SAMPLES_PER_MS], start_ms)
    }

    #[test]
    fn frames_keep_the_time_line_when_the_clock_trembles() {
        let mut framer = Framer::default();
        assert_eq!(push(&mut framer, 100, 1_000).frames.len(), 6);
        let framed = push(&mut framer, 100, 1_140);
        assert!(!framed.jumped);
        assert_eq!(framed.frames[0].0, 1_096);
        assert_eq!(framer.flush().map(|(start_ms, frame)| (start_ms, frame.len())), Some((1_192, FRAME)));
    }

    #[test]
    fn a_gap_jumps_and_a_repetition_is_left_out() {
        let mut framer = Framer::default();
        push(&mut framer, 1_600, 0);
        let repeated = push(&mut framer, 1_600, 800);
        assert_eq!((repeated.jumped, repeated.repeated_ms, repeated.frames.len()), (false, 800, 50));
        let jumped = push(&mut framer, 160, 60_000);
        assert_eq!((jumped.jumped, jumped.frames[0].0), (true, 60_000));
        let back = push(&mut framer, 160, -10_000_000);
        assert_eq!((back.jumped, back.frames[0].0), (true, -10_000_000));
    }
}
