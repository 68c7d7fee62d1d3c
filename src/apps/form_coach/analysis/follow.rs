//! Follows an athlete frame by frame and tells where a piece of the movement ends: when the athlete is back from a
//! repetition, and now and then while the athlete does none.
//!
//! It only chooses where to cut. What a repetition is worth is judged later, with all frames of the piece.

use serde::{Deserialize, Serialize};
use tidemill_schemas::Exercise;

use super::body::{JOINTS, Joint};
use super::free::Lead;
use super::mixed::{is_jump, is_stray};
use super::reading::Reading;
use super::repetition::{Detector, Drive};

/// The athlete is back if the signal is this close to where the repetition began.
const NEAR: f64 = 0.15;
/// The athlete begins again if the signal is this much above the lowest one of the way back.
const AGAIN: f64 = 0.12;
/// Who comes no farther back for this time stays there.
const STILL_MS: i64 = 600;
/// A signal that is lower by less is noise.
const LOWER: f64 = 0.03;
/// Another exercise that is sent for a shorter time is a slip of the sender.
const SLIP_MS: i64 = 400;

/// What the name of a frame's exercise says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// The exercise goes on.
    Same,
    /// Another exercise begins with this frame.
    Changed,
    /// The name may be a slip, so the frame is not followed.
    Slip,
}

/// The way back from the far end of a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Back {
    /// The signal where the repetition began.
    valley: f64,
    lowest: f64,
    lowest_ms: i64,
}

/// The angles of a joint in a piece.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Swept {
    first: f64,
    low: f64,
    high: f64,
}

/// The state of an athlete's movement between two frames.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Follower {
    /// The exercise's name in the frames.
    name: String,
    /// Another name that came since a time.
    other: Option<(String, i64)>,
    detector: Detector,
    back: Option<Back>,
    /// The joint that leads an exercise without rules, and the angles from which it is found.
    lead: Option<Lead>,
    swept: [Option<Swept>; JOINTS.len()],
    /// The last followed frame.
    before: Option<Reading>,
}

impl Follower {
    /// Takes the name of a frame's exercise.
    pub(super) fn enter(&mut self, name: &str, at_ms: i64) -> Named {
        let exercise = Exercise::from_name(name);
        if exercise == self.exercise() && (exercise != Exercise::Other || name == self.name) {
            self.other = None;
            return Named::Same;
        }
        let is_first = self.name.is_empty();
        let since_ms = self.other.as_ref().filter(|(other, _)| other == name).map_or(at_ms, |(_, since)| *since);
        if !is_first && at_ms - since_ms < SLIP_MS {
            self.other = Some((name.to_owned(), since_ms));
            return Named::Slip;
        }
        *self = Self { name: name.to_owned(), ..Self::default() };
        if is_first { Named::Same } else { Named::Changed }
    }

    /// The exercise that is followed.
    pub(super) fn exercise(&self) -> Exercise {
        Exercise::from_name(&self.name)
    }

    /// Follows a frame, of which the next frame is known. Returns whether a piece that began at `start_ms` ends with it.
    pub(super) fn follow(&mut self, reading: &Reading, next: &Reading, start_ms: i64, window_ms: i64) -> bool {
        if let Some(before) = self.before {
            if is_stray(&[before.place(), reading.place(), next.place()]) {
                return false;
            }
            // Another body: what it does is no part of the movement.
            if is_jump(&before.place(), &reading.place()) {
                (self.detector, self.back) = (Detector::default(), None);
            }
        }
        self.before = Some(*reading);
        self.ends(reading, reading.at_ms - start_ms, window_ms)
    }

    /// Begins a piece.
    pub(super) fn begin(&mut self) {
        self.back = None;
        let range = |at: usize| self.swept[at].map_or(0.0, |swept| swept.high - swept.low);
        let most = (0..JOINTS.len()).map(range).fold(0.0, f64::max);
        let of_lead = |lead: Lead| JOINTS.iter().position(|joint| *joint == lead.joint).map_or(0.0, range);
        if self.lead.is_some_and(|lead| Lead::is_overtaken(of_lead(lead), most)) {
            (self.lead, self.detector) = (None, Detector::default());
        }
        self.swept = Default::default();
    }

    fn ends(&mut self, reading: &Reading, length_ms: i64, window_ms: i64) -> bool {
        let at_ms = reading.at_ms;
        let drive = Drive::of(self.exercise()).or_else(|| self.free_drive(reading));
        let signal = drive.and_then(|drive| Some((drive, drive.signal_of(reading.angle(drive.joint)?))));
        let Some((drive, signal)) = signal else { return length_ms >= window_ms };
        let turn = self.detector.step(at_ms, signal, None, reading.stance).filter(|turn| drive.is_repetition(turn));
        if let Some(turn) = turn {
            self.back = Some(Back { valley: turn.valley, lowest: signal, lowest_ms: at_ms });
        }
        let Some(back) = &mut self.back else { return length_ms >= window_ms && self.detector.rests(signal) };
        let begins_again = signal > back.lowest + AGAIN;
        if signal < back.lowest - LOWER {
            (back.lowest, back.lowest_ms) = (signal, at_ms);
        }
        signal <= back.valley + NEAR || begins_again || at_ms - back.lowest_ms >= STILL_MS
    }

    /// The leading joint of an exercise without rules: the first one that works.
    fn free_drive(&mut self, reading: &Reading) -> Option<Drive> {
        let mut most: Option<(Joint, Swept)> = None;
        for (swept, joint) in self.swept.iter_mut().zip(JOINTS) {
            let Some(angle) = reading.angle(joint) else { continue };
            let known = swept.unwrap_or(Swept { first: angle, low: angle, high: angle });
            let now = Swept { low: known.low.min(angle), high: known.high.max(angle), ..known };
            *swept = Some(now);
            if most.is_none_or(|(_, most)| now.high - now.low > most.high - most.low) {
                most = Some((joint, now));
            }
        }
        if self.lead.is_none()
            && let Some((joint, Swept { first, low, high })) = most
            && Lead::is_overtaken(0.0, high - low)
        {
            self.lead = Some(Lead::new(joint, first, [low, high]));
            // The movement began at rest.
            self.detector = Detector::default();
            self.detector.step(reading.at_ms - 1, 0.0, None, None);
        }
        self.lead.map(Lead::drive)
    }
}
