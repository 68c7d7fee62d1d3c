//! What one frame tells about a movement, in few numbers.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Exercise, PoseFrame};

use super::body::{Body, JOINTS, Joint};
use super::mixed::{Spots, torso};
use super::repetition::Drive;
use super::sight::Sight;
use super::stance::Stance;

/// What one frame tells about a movement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) at_ms: i64,
    torso: Spots,
    /// The angles in degrees, in the order of [`JOINTS`].
    angles: [Option<f64>; JOINTS.len()],
    /// Where the body is; `None` for exercises without rules.
    pub(super) stance: Option<Stance>,
}

impl Reading {
    /// Reads a frame of an exercise. If it does not tell the picture's ratio, the picture counts as a square.
    pub(super) fn of(frame: &PoseFrame, exercise: Exercise) -> Self {
        let ruled = Drive::of(exercise);
        let joint = ruled.map(|drive| drive.joint);
        let sight = Sight::of(std::slice::from_ref(frame), joint, frame.aspect_ratio.is_some());
        let body = Body::of(frame, sight);
        Self {
            at_ms: frame.timestamp,
            torso: torso(frame),
            angles: JOINTS.map(|joint| body.mean_angle(joint)),
            stance: ruled.and_then(|drive| drive.stance(&body)),
        }
    }

    /// The angle of a joint, in degrees.
    pub(super) fn angle(&self, joint: Joint) -> Option<f64> {
        self.angles[JOINTS.iter().position(|known| *known == joint)?]
    }

    /// The torso with its time.
    pub(super) fn place(&self) -> (i64, Spots) {
        (self.at_ms, self.torso)
    }
}
