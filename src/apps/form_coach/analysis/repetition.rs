//! Counts repetitions in a signal that is 0 in the start position and 1 at the far end.

use serde::{Deserialize, Serialize};
use tidemill_schemas::Exercise;

use super::body::{Body, Joint};

/// The signal must turn by this much to be a turn and not noise.
const TURN: f64 = 0.22;
/// A smaller way out and back is a wobble.
const LEAST_RANGE: f64 = 0.3;
/// A slack start: the way out begins when this much above the lowest point.
const SLACK: f64 = 0.1;
/// After so long without a frame, the movement in progress is forgotten.
const GAP_MS: i64 = 5_000;

/// What leads an exercise: a joint, its angle in the start position and at the far end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drive {
    pub(super) joint: Joint,
    start_deg: f64,
    end_deg: f64,
}

impl Drive {
    /// The leading joint; `None` for exercises that are not known.
    pub(super) fn of(exercise: Exercise) -> Option<Self> {
        let (joint, start_deg, end_deg) = match exercise {
            Exercise::PullUp => (Joint::Elbow, 160.0, 60.0),
            Exercise::PushUp => (Joint::Elbow, 160.0, 85.0),
            Exercise::Squat => (Joint::Knee, 168.0, 85.0),
            Exercise::Other => return None,
        };
        Some(Self { joint, start_deg, end_deg })
    }

    /// 0 in the start position, 1 at the far end.
    pub(super) fn signal(self, body: &Body) -> Option<f64> {
        Some((self.start_deg - body.mean_angle(self.joint)?) / (self.start_deg - self.end_deg))
    }

    /// Degrees between two values of the signal.
    pub(super) fn degrees(self, range: f64) -> f64 {
        range * (self.start_deg - self.end_deg)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
enum Way {
    /// Towards the start position, or resting in it.
    #[default]
    Back,
    /// Towards the far end.
    Out,
}

/// A repetition's turning points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    pub(super) start_ms: i64,
    pub(super) peak_ms: i64,
    pub(super) end_ms: i64,
    pub(super) valley: f64,
    pub(super) peak: f64,
    /// How far the mark was cleared at best; see [`Detector::step`].
    pub(super) cleared: Option<f64>,
}

/// The state of a repetition between frames, and so between windows.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Detector {
    way: Way,
    /// The lowest signal on the way back, the highest on the way out; absent before the first frame.
    extreme: Option<f64>,
    extreme_ms: i64,
    valley: f64,
    start_ms: i64,
    cleared: Option<f64>,
    last_ms: i64,
}

impl Detector {
    /// Takes one frame; gives a repetition once it is half way back from its far end.
    ///
    /// `cleared` is a distance that must become positive in a full repetition, such as chin above bar.
    pub(super) fn step(&mut self, at_ms: i64, signal: f64, cleared: Option<f64>) -> Option<Turn> {
        if at_ms - self.last_ms > GAP_MS {
            *self = Self::default();
        }
        self.last_ms = at_ms;
        let Some(extreme) = self.extreme else {
            (self.extreme, self.extreme_ms, self.start_ms) = (Some(signal), at_ms, at_ms);
            return None;
        };
        match self.way {
            Way::Back => {
                if signal < extreme {
                    (self.extreme, self.extreme_ms) = (Some(signal), at_ms);
                }
                let lowest = extreme.min(signal);
                if signal <= lowest + SLACK {
                    self.start_ms = at_ms;
                } else if signal >= lowest + TURN {
                    self.way = Way::Out;
                    self.valley = lowest;
                    (self.extreme, self.extreme_ms, self.cleared) = (Some(signal), at_ms, cleared);
                }
                None
            }
            Way::Out => {
                self.cleared = match (self.cleared, cleared) {
                    (Some(best), Some(now)) => Some(f64::max(best, now)),
                    (one, other) => one.or(other),
                };
                if signal > extreme {
                    (self.extreme, self.extreme_ms) = (Some(signal), at_ms);
                    return None;
                }
                let range = extreme - self.valley;
                if signal > extreme - TURN.max(range / 2.0) {
                    return None;
                }
                let turn = Turn {
                    start_ms: self.start_ms,
                    peak_ms: self.extreme_ms,
                    end_ms: at_ms,
                    valley: self.valley,
                    peak: extreme,
                    cleared: self.cleared,
                };
                self.way = Way::Back;
                (self.extreme, self.extreme_ms, self.start_ms) = (Some(signal), at_ms, at_ms);
                (range >= LEAST_RANGE).then_some(turn)
            }
        }
    }
}
