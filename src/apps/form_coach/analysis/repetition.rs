//! Counts repetitions in a signal that is 0 in the start position and 1 at the far end.

use serde::{Deserialize, Serialize};
use tidemill_schemas::Exercise;

use super::body::{Body, Joint};
use super::stance::{Stance, Travel};

/// A change of direction smaller than this is noise.
const TURN: f64 = 0.22;
/// A smaller movement out and back is not a repetition.
const LEAST_RANGE: f64 = 0.3;
/// A faster movement out and back is an error of the pose model.
const LEAST_MS: i64 = 300;
/// The way out begins when the signal is this much above the lowest point.
const SLACK: f64 = 0.1;
/// After this time without a frame, the movement in progress is discarded.
const GAP_MS: i64 = 5_000;
/// A movement with a longer time between two frames has no tempo: its turning points are not seen.
const UNSEEN_MS: i64 = 2_000;

/// The leading joint of an exercise, with its angles in the start position and at the far end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drive {
    pub(super) joint: Joint,
    start_deg: f64,
    end_deg: f64,
    travel: Travel,
}

impl Drive {
    /// The leading joint of an exercise; `None` for exercises without rules.
    pub(super) fn of(exercise: Exercise) -> Option<Self> {
        let (joint, start_deg, end_deg, travel) = match exercise {
            Exercise::PullUp => (Joint::Elbow, 160.0, 60.0, Travel::ShouldersUp),
            Exercise::PushUp => (Joint::Elbow, 160.0, 85.0, Travel::ShouldersToHands),
            Exercise::Squat => (Joint::Knee, 168.0, 85.0, Travel::HipsDown),
            Exercise::Other => return None,
        };
        Some(Self { joint, start_deg, end_deg, travel })
    }

    /// The joint that leads an exercise without rules. Its signal is 0 at `start_deg` and 1 at `end_deg`.
    pub(super) fn free(joint: Joint, start_deg: f64, end_deg: f64) -> Self {
        Self { joint, start_deg, end_deg, travel: Travel::Unknown }
    }

    /// The signal of a frame: 0 in the start position, 1 at the far end.
    pub(super) fn signal(self, body: &Body) -> Option<f64> {
        Some(self.signal_of(body.mean_angle(self.joint)?))
    }

    /// The signal of an angle of the leading joint.
    pub(super) fn signal_of(self, angle_deg: f64) -> f64 {
        (self.start_deg - angle_deg) / (self.start_deg - self.end_deg)
    }

    /// Where the body is in a frame. The movement of the joint alone is no repetition: the body must go along.
    pub(super) fn stance(self, body: &Body) -> Option<Stance> {
        let sides = body.angles(self.joint).map(|angle| self.signal_of(angle));
        Stance::of(body, self.travel, sides.fold(f64::MAX, f64::min))
    }

    /// Whether the body goes along with the joint from one frame to another, whose signals are given.
    pub(super) fn is_carried(self, [from, to]: [Option<Stance>; 2], [low, high]: [f64; 2]) -> bool {
        let (Some(from), Some(to)) = (from, to) else { return true };
        let angle = |signal: f64| self.start_deg - self.degrees(signal);
        self.travel.is_made(from, to, high - low, [angle(low), angle(high)])
    }

    /// Whether a turn of the signal is a repetition.
    pub(super) fn is_repetition(self, turn: &Turn) -> bool {
        turn.end_ms - turn.start_ms >= LEAST_MS && self.is_carried([turn.low, turn.high], [turn.valley, turn.peak])
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
    /// Where the body was in the valley and at the peak.
    low: Option<Stance>,
    high: Option<Stance>,
    /// Whether the valley is only the first frame: the way there was not seen.
    pub(super) cut: bool,
    /// Whether a part of the movement is not seen, because no frame came for some time.
    pub(super) unseen: bool,
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
    /// Where the body was at `extreme` and in the valley. Older versions stored no places.
    #[serde(default)]
    there: Option<Stance>,
    #[serde(default)]
    low: Option<Stance>,
    /// Whether no lower signal came after the first frame.
    #[serde(default)]
    cut: bool,
    /// Whether no frame came for some time since the movement began.
    #[serde(default)]
    unseen: bool,
}

impl Detector {
    /// Takes one frame. Returns a repetition when the signal is half way back from the far end.
    ///
    /// `cleared` is a distance that must become positive in a full repetition, such as the chin's height above the bar.
    pub(super) fn step(
        &mut self,
        at_ms: i64,
        signal: f64,
        cleared: Option<f64>,
        stance: Option<Stance>,
    ) -> Option<Turn> {
        if at_ms - self.last_ms > GAP_MS {
            *self = Self::default();
        }
        self.unseen |= self.extreme.is_some() && at_ms - self.last_ms > UNSEEN_MS;
        self.last_ms = at_ms;
        let Some(extreme) = self.extreme else {
            self.begin(at_ms, signal, stance);
            self.cut = true;
            return None;
        };
        match self.way {
            Way::Back => {
                if signal < extreme {
                    self.reach(at_ms, signal, stance);
                    self.cut = false;
                }
                let lowest = extreme.min(signal);
                if signal <= lowest + SLACK {
                    (self.start_ms, self.unseen) = (at_ms, false);
                } else if signal >= lowest + TURN {
                    self.way = Way::Out;
                    (self.valley, self.low, self.cleared) = (lowest, self.there, cleared);
                    self.reach(at_ms, signal, stance);
                }
                None
            }
            Way::Out => {
                self.cleared = match (self.cleared, cleared) {
                    (Some(best), Some(now)) => Some(f64::max(best, now)),
                    (one, other) => one.or(other),
                };
                if signal > extreme {
                    self.reach(at_ms, signal, stance);
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
                    low: self.low,
                    high: self.there,
                    cut: self.cut,
                    unseen: self.unseen,
                };
                self.way = Way::Back;
                self.begin(at_ms, signal, stance);
                (self.cut, self.unseen) = (false, false);
                (range >= LEAST_RANGE).then_some(turn)
            }
        }
    }

    /// Whether a signal that was just taken is of somebody in the start position, before any movement.
    pub(super) fn rests(&self, signal: f64) -> bool {
        self.way == Way::Back && self.extreme.is_none_or(|lowest| signal <= lowest + SLACK)
    }

    /// Notes a new extreme of the signal.
    fn reach(&mut self, at_ms: i64, signal: f64, stance: Option<Stance>) {
        (self.extreme, self.extreme_ms, self.there) = (Some(signal), at_ms, stance);
    }

    /// Notes an extreme from which a movement may start.
    fn begin(&mut self, at_ms: i64, signal: f64, stance: Option<Stance>) {
        self.start_ms = at_ms;
        self.reach(at_ms, signal, stance);
    }
}
