//! Where the body is in a frame. It tells repetitions from movements of a joint alone.
//!
//! In a squat the hips go down, in a pull-up the shoulders go up, in a push-up the shoulders go to the hands. A leg that swings
//! while its owner walks, an arm that waves, and landmarks that jitter bend joints, but the body stays where it is.

use serde::{Deserialize, Serialize};
use tidemill_schemas::Part;

use super::body::Body;

/// A shorter way of the body is no repetition, in trunks.
const LEAST_WAY: f64 = 0.1;
/// The body goes at least this share of the way that the angle of the joint tells.
const SHARE: f64 = 0.6;
/// Of the sides that are seen, the one that does less does at least this share of the mean.
const BOTH: f64 = 0.4;

/// The way of the body in a repetition of an exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Travel {
    /// The hips go down to the feet.
    HipsDown,
    /// The shoulders go to the hands: down to the floor, or across to a wall.
    ShouldersToHands,
    /// The shoulders go up to the hands.
    ShouldersUp,
    /// The way is not known, so it is not asked for.
    Unknown,
}

/// The place of the moving part of the body.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Stance {
    /// How far the part is across and down the picture.
    across: f64,
    down: f64,
    /// Its distance from the hands or feet.
    reach: f64,
    /// The signal of the side that does less.
    least: f64,
    trunk: f64,
}

impl Stance {
    /// The stance of a body; `least` is the signal of the side that does less. `None` if not enough of the body is seen.
    pub(super) fn of(body: &Body, travel: Travel, least: f64) -> Option<Self> {
        let (part, reach) = match travel {
            Travel::HipsDown => (body.hips()?, body.span(Part::LEFT_HIP, Part::LEFT_ANKLE)?),
            Travel::ShouldersToHands | Travel::ShouldersUp => {
                (body.shoulders()?, body.span(Part::LEFT_SHOULDER, Part::LEFT_WRIST)?)
            }
            Travel::Unknown => return None,
        };
        Some(Self { across: part.x, down: part.y, reach, least, trunk: body.trunk()? })
    }
}

impl Travel {
    /// Whether the body made the way of a repetition between two stances. `range` is the change of the signal, and
    /// `angles` are the angles of the joint.
    pub(super) fn is_made(self, from: Stance, to: Stance, range: f64, [start_deg, end_deg]: [f64; 2]) -> bool {
        let way = match self {
            Self::HipsDown => to.down - from.down,
            Self::ShouldersToHands => (to.across - from.across).hypot(to.down - from.down),
            Self::ShouldersUp => from.down - to.down,
            Self::Unknown => return true,
        };
        // The two halves of a limb have about the same length, so its ends are as far apart as half the sine tells.
        let apart = |angle_deg: f64| (angle_deg.clamp(1.0, 180.0) / 2.0).to_radians().sin();
        let told = from.reach * (1.0 - apart(end_deg) / apart(start_deg));
        let both = self != Self::HipsDown || to.least - from.least >= BOTH * range;
        both && way >= (LEAST_WAY * from.trunk).max(SHARE * told)
    }
}
