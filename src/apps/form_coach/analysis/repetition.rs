//! Counts repetitions in a signal that is 0 in the start position and 1 at the far end.

use serde::{Deserialize, Serialize};
use tidemill_schemas::Exercise;

use super::body::{Body, Joint};

/// A change of direction smaller than this is noise.
const TURN: f64 = 0.22;
/// A smaller movement out and back is not a repetition.
const LEAST_RANGE: f64 = 0.3;
/// The way out begins when the signal is this much above the lowest point.
const SLACK: f64 = 0.1;
/// After this time without a frame, the movement in progress is discarded.
const GAP_MS: i64 = 5_000;

/// The leading joint of an exercise, with its angles in the start position and at the far end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drive {
    pub(super) joint: Joint,
    start_deg: f64,
    end_deg: f64,
}

impl Drive {
    /// The leading joint of an exercise; `None` for unknown exercises.
    pub(super) fn of(exercise: Exercise) -> Option<Self> {
        let (joint, start_deg, end_deg) = match exercise {
            Exercise::PullUp => (Joint::Elbow, 160.0, 60.0),
            Exercise::PushUp => (Joint::Elbow, 160.0, 85.0),
            Exercise::Squat => (Joint::Knee, 168.0, 85.0),
            Exercise::Other => return None,
        };
        Some(Self { joint, start_deg, end_deg })
    }

    /// The signal of a frame: 0 in the start position, 1 at the far end.
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
    /// The largest `cleared` of the repetition's frames; see [`Detector::step`].
    pub(super) cleared: Option<f64>,
}

/// The state of the detector. It is kept between frames and between windows.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Detector {
    way: Way,
    /// The lowest signal on the way back, or the highest on the way out. `None` before the first frame.
    extreme: Option<f64>,
    extreme_ms: i64,
    valley: f64,
    start_ms: i64,
    cleared: Option<f64>,
    last_ms: i64,
}

impl Detector {
    /// Takes one frame. Returns a repetition when the signal is half way back from the far end.
    ///
    /// `cleared` is a distance that must become positive in a full repetition, such as the chin's height above the bar.
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
