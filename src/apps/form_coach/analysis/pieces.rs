//! Divides an athlete's frames into pieces that end with a repetition. Each frame is in one piece, and pieces of an
//! athlete follow each other in time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tidemill_schemas::PoseFrame;

use super::follow::{Follower, Named};
use super::reading::Reading;

/// Frames that are farther apart are in different pieces.
pub const GAP_MS: i64 = 2_000;

/// A piece in which a movement goes on is at most this many times as long as a piece without a repetition.
const LONGEST: i64 = 4;

/// The lengths that decide about pieces, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The length of a piece without a repetition.
    pub window_ms: i64,
    /// How long a piece takes frames after its end.
    pub grace_ms: i64,
}

/// What follows from a frame. A piece is known by the time of its first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A piece has its last frame, at this time. Late frames may still come.
    Ended(i64, i64),
    /// A piece that ended at this time takes no more frames.
    Closed(i64, i64),
    /// The frame is in this piece.
    In(i64),
    /// A piece whose last frame has this time is still open, while an earlier piece got a frame.
    Open(i64, i64),
    /// The frame is in no piece: it is so far behind the athlete's last frame, in milliseconds.
    Late(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Piece {
    start_ms: i64,
    end_ms: Option<i64>,
}

/// The pieces of one athlete that are not closed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Pieces {
    /// In the order of time. Only the last one may have no end.
    open: VecDeque<Piece>,
    /// Frames up to this time are in closed pieces.
    closed_ms: Option<i64>,
    /// The time of the last frame.
    last_ms: Option<i64>,
    /// The last frame. It is followed when the next one is known.
    waits: Option<Reading>,
    follower: Follower,
}

impl Pieces {
    /// Takes a frame and returns what follows, in order.
    pub fn take(&mut self, frame: &PoseFrame, times: Times) -> Vec<Step> {
        let at_ms = frame.timestamp;
        match self.last_ms {
            Some(last_ms) if at_ms <= last_ms => self.take_behind(at_ms, last_ms),
            _ => self.take_next(frame, times),
        }
    }

    /// Takes a frame that is later than all before.
    fn take_next(&mut self, frame: &PoseFrame, times: Times) -> Vec<Step> {
        let (at_ms, mut steps) = (frame.timestamp, Vec::new());
        let named = self.follower.enter(&frame.exercise, at_ms);
        let reading = Reading::of(frame, self.follower.exercise());
        let waited = std::mem::replace(&mut self.waits, (named != Named::Slip).then_some(reading));
        // A frame of another exercise says nothing about the movement that follows.
        let waited = waited.filter(|_| named != Named::Changed);
        if let (Some(last_ms), Some(piece)) = (self.last_ms, self.open.back_mut()) {
            let Piece { start_ms, .. } = *piece;
            let is_back =
                waited.is_some_and(|waited| self.follower.follow(&waited, &reading, start_ms, times.window_ms));
            let is_apart = at_ms - last_ms > GAP_MS;
            let is_long = last_ms - start_ms >= times.window_ms.saturating_mul(LONGEST);
            if is_back || is_apart || is_long || named == Named::Changed {
                piece.end_ms = Some(last_ms);
                steps.push(Step::Ended(start_ms, last_ms));
                self.open.push_back(Piece { start_ms: at_ms, end_ms: None });
                self.follower.begin();
            }
        } else {
            self.open.push_back(Piece { start_ms: at_ms, end_ms: None });
        }
        while let Some(Piece { start_ms, end_ms: Some(end_ms) }) = self.open.front().copied()
            && at_ms > end_ms.saturating_add(times.grace_ms)
        {
            self.open.pop_front();
            self.closed_ms = Some(end_ms);
            steps.push(Step::Closed(start_ms, end_ms));
        }
        self.last_ms = Some(at_ms);
        steps.extend(self.open.back().map(|piece| Step::In(piece.start_ms)));
        steps
    }

    /// Takes a frame that is not later than the last one. It is not followed, but judged with the others of its piece.
    fn take_behind(&self, at_ms: i64, last_ms: i64) -> Vec<Step> {
        if self.closed_ms.is_some_and(|closed_ms| at_ms <= closed_ms) {
            return vec![Step::Late(last_ms - at_ms)];
        }
        let mut pieces = self.open.iter().skip_while(|piece| piece.end_ms.is_some_and(|end_ms| end_ms < at_ms));
        let its = pieces.next().map(|piece| Step::In(piece.start_ms));
        let later = pieces.map(|piece| Step::Open(piece.start_ms, piece.end_ms.unwrap_or(last_ms)));
        its.into_iter().chain(later).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { window_ms: 3_000, grace_ms: 500 };

    /// A frame that shows nobody.
    fn frame(timestamp: i64, exercise: &str) -> PoseFrame {
        let (user_id, exercise) = ("ada".into(), exercise.to_owned());
        PoseFrame { user_id, timestamp, exercise, aspect_ratio: None, mirrored: false, landmarks: Vec::new() }
    }

    /// The steps of the last of some frames.
    fn last(pieces: &mut Pieces, times: impl IntoIterator<Item = i64>) -> Vec<Step> {
        times.into_iter().map(|at_ms| pieces.take(&frame(at_ms, "squat"), TIMES)).last().expect("a frame")
    }

    #[test]
    fn a_piece_takes_frames_until_its_grace_is_over() {
        let mut pieces = Pieces::default();
        assert_eq!(last(&mut pieces, (0..=3_000).step_by(200)), [Step::In(0)]);
        assert_eq!(last(&mut pieces, [3_200]), [Step::Ended(0, 3_000), Step::In(3_200)]);
        assert_eq!(last(&mut pieces, [3_500, 2_900]), [Step::In(0), Step::Open(3_200, 3_500)]);
        assert_eq!(last(&mut pieces, [3_100]), [Step::In(3_200)]);
        assert_eq!(last(&mut pieces, [3_501]), [Step::Closed(0, 3_000), Step::In(3_200)]);
        assert_eq!(last(&mut pieces, [3_000]), [Step::Late(501)]);
        assert_eq!(last(&mut pieces, [3_001]), [Step::In(3_200)]);
    }

    #[test]
    fn a_pause_ends_a_piece() {
        let mut pieces = Pieces::default();
        assert_eq!(last(&mut pieces, [0, GAP_MS]), [Step::In(0)]);
        let next = 2 * GAP_MS + 1;
        assert_eq!(last(&mut pieces, [next]), [Step::Ended(0, GAP_MS), Step::Closed(0, GAP_MS), Step::In(next)]);
    }

    #[test]
    fn another_exercise_ends_a_piece_unless_its_name_is_a_slip() {
        let mut pieces = Pieces::default();
        last(&mut pieces, [0, 200]);
        for (at_ms, name) in [(400, "curl"), (600, "squat"), (800, "curl"), (1_000, "curl")] {
            assert_eq!(pieces.take(&frame(at_ms, name), TIMES), [Step::In(0)], "{at_ms}");
        }
        assert_eq!(pieces.take(&frame(1_200, "curl"), TIMES), [Step::Ended(0, 1_000), Step::In(1_200)]);
    }

    #[test]
    fn names_that_change_with_each_frame_make_no_endless_piece() {
        let mut pieces = Pieces::default();
        let steps = (0..200).map(|at| pieces.take(&frame(at * 100, &format!("ex{at}")), TIMES));
        let ended: Vec<_> = steps.flatten().filter(|step| matches!(step, Step::Ended(..))).collect();
        assert_eq!(ended, [Step::Ended(0, 12_000)]);
    }
}
