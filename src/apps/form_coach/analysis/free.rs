//! Exercises without rules: which joint leads them, and what is said about them.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Phase, Repetition, Side, Symmetry, Tempo};

use super::body::{Body, JOINTS, Joint};
use super::motion::{WORK_DEG, median, trimmed};
use super::repetition::Drive;
use crate::apps::shown::in_sentence;

/// The range of a joint for which its signal is 1, in degrees.
const SPAN_DEG: f64 = 100.0;
/// Another joint leads from now on if its range in a window is this many times the range of the leading joint.
const OVERTAKES: f64 = 1.5;

/// The joint that leads an exercise without rules: the one with the largest range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Lead {
    pub(super) joint: Joint,
    /// The angle at which the session began, and the direction of the movement from there.
    start_deg: f64,
    closes: bool,
}

impl Lead {
    /// The leading joint after a window: the known one, or the one that moves most in this window. `None` as long as
    /// no joint works. `rest` has the angles of the window before, if no joint worked there.
    pub(super) fn of(bodies: &[Body], known: Option<Self>, rest: Option<Rest>) -> Option<Self> {
        let angles = |joint: Joint| bodies.iter().filter_map(move |body| body.mean_angle(joint));
        let range = |joint: Joint| trimmed(angles(joint)).map_or(0.0, |(low, high)| high - low);
        let Some(most) = JOINTS.into_iter().max_by(|a, b| range(*a).total_cmp(&range(*b))) else { return known };
        let leading = known.map_or(0.0, |lead| range(lead.joint));
        if !Self::is_overtaken(leading, range(most)) || known.is_some_and(|lead| lead.joint == most) {
            return known;
        }
        let start_deg = rest.and_then(|rest| rest.of(most)).or_else(|| angles(most).next())?;
        let (low, high) = trimmed(angles(most))?;
        Some(Self::new(most, start_deg, [low, high]))
    }

    /// The lead of a joint that began at an angle and goes through a range of angles.
    pub(super) fn new(joint: Joint, start_deg: f64, [low, high]: [f64; 2]) -> Self {
        Self { joint, start_deg, closes: start_deg - low > high - start_deg }
    }

    /// Whether a joint with a range leads from now on, where the leading joint has another range.
    pub(super) fn is_overtaken(range: f64, by: f64) -> bool {
        by >= WORK_DEG.max(OVERTAKES * range)
    }

    pub(super) fn drive(self) -> Drive {
        let end_deg = if self.closes { self.start_deg - SPAN_DEG } else { self.start_deg + SPAN_DEG };
        Drive::free(self.joint, self.start_deg, end_deg)
    }
}

/// The angles of an athlete at rest, in degrees, in the order of [`JOINTS`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Rest([Option<f64>; JOINTS.len()]);

impl Rest {
    /// The median angles of a window.
    pub(super) fn in_window(bodies: &[Body]) -> Self {
        Self(JOINTS.map(|joint| median(bodies.iter().filter_map(|body| body.mean_angle(joint)))))
    }

    fn of(self, joint: Joint) -> Option<f64> {
        self.0[JOINTS.iter().position(|known| *known == joint)?]
    }
}

/// What a window of an exercise without rules shows.
pub(super) struct Shown<'a> {
    pub(super) name: &'a str,
    pub(super) phase: Phase,
    pub(super) lead: Option<Lead>,
    pub(super) repetitions: &'a [Repetition],
    pub(super) tempo: Option<Tempo>,
    pub(super) symmetry: Option<Symmetry>,
}

/// One sentence with the measures, because there are no rules by which to advise.
pub(super) fn sentence(shown: &Shown<'_>) -> String {
    let name = in_sentence(shown.name).unwrap_or_else(|| "this exercise".to_owned());
    match shown.phase {
        Phase::OutOfSight => format!("Step back until your whole body is in the picture: {name} needs it, too."),
        Phase::Resting => format!("Ready when you are: repetitions of {name} are counted, not graded."),
        Phase::Working => {
            let (Some(lead), Some(last)) = (shown.lead, shown.repetitions.last()) else {
                return format!("Keep going: repetitions of {name} count on the way back.");
            };
            let count = match shown.repetitions.len() {
                1 => "1 repetition".to_owned(),
                more => format!("{more} repetitions"),
            };
            let joint = lead.joint.plural();
            let tempo = shown.tempo.map(|tempo| format!(", {:.1} s on the way", tempo.work_s)).unwrap_or_default();
            let sides = match shown.symmetry.map(|symmetry| symmetry.stronger) {
                Some(Some(Side::Left)) => ", more on the left",
                Some(Some(Side::Right)) => ", more on the right",
                Some(None) => ", both sides alike",
                None => "",
            };
            let range = last.range_deg;
            format!("{count} of {name}: the {joint} go through {range:.0}°{tempo}{sides}. It has no rules for a grade.")
        }
    }
}
