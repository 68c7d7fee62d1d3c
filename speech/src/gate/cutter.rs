//! Where pieces begin and end.

use std::collections::VecDeque;

use super::GateSettings;
use crate::Limits;
use crate::framer::FRAME_MS;

/// When no more audio comes, so much of the end is heard again with the audio that follows: a word may have been cut.
const HOLD_MS: i64 = 1_000;
/// Frames of speech that open the gate. One alone may be a click.
const ONSET: usize = 2;

/// Cuts a line of frames into pieces: at silence, at a short pause of a long piece, and with an overlap where a piece gets
/// as long as it may.
#[derive(Debug)]
pub(crate) struct Cutter<F> {
    gate: GateSettings,
    limits: Limits,
    /// The last frames: the lead-in and the overlap are taken from them.
    recent: VecDeque<(i64, F)>,
    /// Frames of speech in a row.
    voiced: usize,
    open: Option<Open>,
    /// A piece ended because no audio came: audio that follows it goes on with an overlap.
    paused: bool,
    /// Where the last piece ended, in this line of frames.
    ended_ms: i64,
}

#[derive(Debug)]
struct Open {
    start_ms: i64,
    end_ms: i64,
    last_voice_ms: i64,
}

/// What a frame leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut<F> {
    /// A piece begins.
    Begin { start_ms: i64 },
    /// The frame belongs to the piece. `repeated` frames were in the piece before, too.
    Frame { frame: F, repeated: bool },
    /// The piece ends. Words after `hold_from_ms` are heard again by the next piece. `renews`: the next piece follows at
    /// once.
    End { end_ms: i64, hold_from_ms: Option<i64>, renews: bool },
}

impl<F: Clone> Cutter<F> {
    pub(crate) fn new(gate: GateSettings, limits: Limits) -> Self {
        Self { gate, limits, recent: VecDeque::new(), voiced: 0, open: None, paused: false, ended_ms: i64::MIN }
    }

    /// Takes the next frame.
    pub(crate) fn push(&mut self, start_ms: i64, frame: F, voiced: bool) -> Vec<Cut<F>> {
        let end_ms = start_ms + FRAME_MS;
        self.voiced = if voiced { self.voiced + 1 } else { 0 };
        self.remember(start_ms, frame.clone());
        let mut cuts = Vec::new();
        let Some(open) = &mut self.open else {
            if std::mem::take(&mut self.paused) {
                self.begin(end_ms - self.limits.overlap_ms - FRAME_MS, &mut cuts);
            } else if self.voiced >= ONSET {
                self.begin(end_ms - self.gate.lead_in_ms - ONSET as i64 * FRAME_MS, &mut cuts);
            }
            return cuts;
        };
        cuts.push(Cut::Frame { frame, repeated: false });
        open.end_ms = end_ms;
        if voiced {
            open.last_voice_ms = end_ms;
        }
        let length_ms = end_ms - open.start_ms;
        let silent_ms = end_ms - open.last_voice_ms;
        let enough_ms = if length_ms >= self.limits.pause_after_ms {
            self.limits.pause_ms.min(self.gate.hang_over_ms)
        } else {
            self.gate.hang_over_ms
        };
        if silent_ms >= enough_ms {
            cuts.extend(self.end(None));
        } else if length_ms + FRAME_MS > self.limits.longest_ms {
            let again_ms = end_ms - self.limits.overlap_ms;
            cuts.push(Cut::End { end_ms, hold_from_ms: Some(again_ms), renews: true });
            self.ended_ms = end_ms;
            self.begin(again_ms, &mut cuts);
        }
        cuts
    }

    /// Ends the piece here, because nobody knows when more audio comes.
    pub(crate) fn pause(&mut self) -> Vec<Cut<F>> {
        self.paused |= self.open.is_some();
        self.end(Some(HOLD_MS.min(self.limits.overlap_ms)))
    }

    /// Ends the piece here: no audio follows, or audio of another time.
    pub(crate) fn interrupt(&mut self) -> Vec<Cut<F>> {
        self.recent.clear();
        self.voiced = 0;
        self.paused = false;
        let cuts = self.end(None);
        self.ended_ms = i64::MIN;
        cuts
    }

    fn end(&mut self, hold_ms: Option<i64>) -> Vec<Cut<F>> {
        let Some(Open { end_ms, .. }) = self.open.take() else { return Vec::new() };
        self.ended_ms = end_ms;
        vec![Cut::End { end_ms, hold_from_ms: hold_ms.map(|hold_ms| end_ms - hold_ms), renews: false }]
    }

    fn remember(&mut self, start_ms: i64, frame: F) {
        let lead_in_ms = self.gate.lead_in_ms + ONSET as i64 * FRAME_MS;
        let keep = (lead_in_ms.max(self.limits.overlap_ms) / FRAME_MS) as usize + 1;
        self.recent.push_back((start_ms, frame));
        while self.recent.len() > keep {
            self.recent.pop_front();
        }
    }

    fn begin(&mut self, from_ms: i64, cuts: &mut Vec<Cut<F>>) {
        let first = self.recent.partition_point(|(start_ms, _)| *start_ms < from_ms);
        let frames = self.recent.range(first..);
        let (Some((start_ms, _)), Some((last_ms, _))) = (frames.clone().next(), self.recent.back()) else { return };
        let end_ms = last_ms + FRAME_MS;
        self.open = Some(Open { start_ms: *start_ms, end_ms, last_voice_ms: end_ms });
        cuts.push(Cut::Begin { start_ms: *start_ms });
        let ended_ms = self.ended_ms;
        cuts.extend(frames.map(|(at_ms, frame)| Cut::Frame { frame: frame.clone(), repeated: *at_ms < ended_ms }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        longest_ms: 4_800,
        pause_after_ms: 3_200,
        pause_ms: 160,
        overlap_ms: 800,
        sessions: 1,
        message_ms: 96,
        answer_within_ms: 1_000,
    };

    /// Pieces as (start, end, hold from) for speech at these times of ten seconds.
    fn pieces(speech: impl Fn(i64) -> bool) -> Vec<(i64, i64, Option<i64>)> {
        let mut cutter = Cutter::new(GateSettings { lead_in_ms: 320, hang_over_ms: 800, threshold: 0.5 }, LIMITS);
        let mut pieces = Vec::new();
        let mut begun = None;
        let mut frames = 0;
        let mut take = |cuts: Vec<Cut<i64>>| {
            for cut in cuts {
                match cut {
                    Cut::Begin { start_ms } => (begun, frames) = (Some(start_ms), 0),
                    Cut::Frame { frame, .. } => {
                        assert_eq!(frame, begun.expect("a piece") + frames * FRAME_MS, "no frame is missing");
                        frames += 1;
                    }
                    Cut::End { end_ms, hold_from_ms, .. } => {
                        let start_ms = begun.take().expect("a piece");
                        assert_eq!(end_ms, start_ms + frames * FRAME_MS);
                        pieces.push((start_ms, end_ms, hold_from_ms));
                    }
                }
            }
        };
        for start_ms in (0..10_000).step_by(FRAME_MS as usize) {
            take(cutter.push(start_ms, start_ms, speech(start_ms)));
        }
        take(cutter.interrupt());
        pieces
    }

    #[test]
    fn silence_is_kept_back_and_words_keep_their_edges() {
        let found = pieces(|ms| (2_000..3_000).contains(&ms));
        assert_eq!(found.len(), 1);
        assert!((1_670..=1_700).contains(&found[0].0), "{found:?}");
        assert!((3_790..=3_820).contains(&found[0].1), "{found:?}");
    }

    #[test]
    fn a_click_does_not_open_the_gate() {
        assert_eq!(pieces(|ms| (2_000..2_010).contains(&ms) || (5_000..5_010).contains(&ms)), []);
    }

    #[test]
    fn a_long_piece_ends_at_a_short_pause_and_a_young_one_does_not() {
        let found =
            pieces(|ms| (1_000..6_000).contains(&ms) && !(2_000..2_300).contains(&ms) && !(4_500..4_750).contains(&ms));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!((4_640..4_700).contains(&found[0].1), "{found:?}");
        assert_eq!(found[0].2, None);
    }

    #[test]
    fn audio_that_goes_on_after_a_pause_of_the_source_is_heard_with_an_overlap() {
        let mut cutter = Cutter::new(GateSettings { lead_in_ms: 320, hang_over_ms: 800, threshold: 0.5 }, LIMITS);
        for start_ms in (0..3_200).step_by(FRAME_MS as usize) {
            cutter.push(start_ms, start_ms, true);
        }
        assert_eq!(cutter.pause(), [Cut::End { end_ms: 3_200, hold_from_ms: Some(2_400), renews: false }]);
        assert_eq!(cutter.pause(), []);
        let cuts = cutter.push(3_200, 3_200, true);
        assert_eq!(cuts[..2], [Cut::Begin { start_ms: 2_400 }, Cut::Frame { frame: 2_400, repeated: true }]);
        assert_eq!(cuts.last(), Some(&Cut::Frame { frame: 3_200, repeated: false }));
    }

    #[test]
    fn speech_without_a_pause_is_cut_with_an_overlap() {
        let found = pieces(|_| true);
        assert_eq!(found.len(), 3, "{found:?}");
        for pair in found.windows(2) {
            assert_eq!(pair[0].2, Some(pair[0].1 - 800));
            assert_eq!(pair[1].0, pair[0].1 - 800);
            assert!(pair[0].1 - pair[0].0 <= LIMITS.longest_ms);
        }
    }
}
