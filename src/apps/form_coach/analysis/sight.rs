//! What the camera sees of the body: the sides, and the landmarks inside the picture.

use tidemill_schemas::{Landmark, PoseFrame, Side};

use super::body::{JOINTS, Joint, SIDES, VISIBLE};
use super::motion::median;

/// Landmarks farther outside the picture than this are guesses of the pose model.
const MARGIN: f32 = 0.05;
/// A side whose landmarks are less visible than the other side's by this is hidden behind the body.
const HIDDEN: f32 = 0.35;
/// Index of the first landmark below the head. From here on, left ones are odd.
const FIRST_OF_BODY: usize = 11;

/// What the camera sees in a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// Whether left and right are seen.
    sides: [bool; 2],
    /// Whether `x` is known to be 0 to 1. Cameras that do not tell their ratio may send `x` in heights of the picture.
    normalised: bool,
}

impl Sight {
    /// Both sides, inside the picture as far as it is known.
    pub(super) const BOTH_SIDES: Self = Self { sides: [true; 2], normalised: false };

    /// What is seen of the joint that leads the exercise, or of any joint if none leads.
    pub(super) fn of(frames: &[PoseFrame], leading: Option<Joint>, normalised: bool) -> Self {
        let all = Self { normalised, ..Self::BOTH_SIDES };
        let of_joint = |joint: Joint, side: Side| {
            let parts = joint.parts(side);
            let of_part = |part| {
                let marks = frames.iter().filter_map(|frame| frame.landmarks.iter().find(|mark| mark.part == part));
                median(marks.map(|mark| f64::from(all.visibility(mark)))).unwrap_or(0.0)
            };
            parts.map(of_part).into_iter().fold(1.0, f64::min)
        };
        let of_side = |side: Side| {
            let joints = JOINTS.into_iter().filter(|joint| leading.is_none_or(|leading| leading == *joint));
            joints.map(|joint| of_joint(joint, side)).fold(0.0, f64::max) as f32
        };
        let [left, right] = SIDES.map(of_side);
        let seen = |one: f32, other: f32| one >= VISIBLE && one >= other - HIDDEN;
        let sides = [seen(left, right), seen(right, left)];
        // If neither side is seen as a whole, each landmark counts as far as it is seen.
        if sides == [false; 2] { all } else { Self { sides, ..all } }
    }

    /// Whether a landmark is judged.
    pub(super) fn shows(self, mark: &Landmark) -> bool {
        let index = mark.part.index();
        let side = index < FIRST_OF_BODY || self.sides[usize::from(index.is_multiple_of(2))];
        side && self.visibility(mark) >= VISIBLE
    }

    /// The visibility of a landmark; 0 outside the picture.
    fn visibility(self, mark: &Landmark) -> f32 {
        let inside = |value: f32| (-MARGIN..=1.0 + MARGIN).contains(&value);
        let across = if self.normalised { inside(mark.x) } else { mark.x >= -MARGIN };
        if across && inside(mark.y) { mark.visibility.unwrap_or(1.0) } else { 0.0 }
    }
}
