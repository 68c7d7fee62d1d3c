//! The geometry of one frame: points, angles and lengths.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{LANDMARKS, Part, PoseFrame, Side};

use super::sight::Sight;

/// Landmarks with a lower visibility are guesses of the pose model.
pub(super) const VISIBLE: f32 = 0.5;
/// The pose model guesses depth from one camera; its error is about twice that of the image plane.
pub(super) const DEPTH_TRUST: f64 = 0.5;

/// A point; `y` grows downwards.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) z: f64,
}

/// A joint whose angle is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Joint {
    Elbow,
    Shoulder,
    Hip,
    Knee,
}

pub(super) const JOINTS: [Joint; 4] = [Joint::Elbow, Joint::Shoulder, Joint::Hip, Joint::Knee];
pub(super) const SIDES: [Side; 2] = [Side::Left, Side::Right];

/// One frame. All axes of its points have the same scale.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) timestamp: i64,
    points: [Option<Point>; LANDMARKS.len()],
}

impl Body {
    /// The landmarks of a frame that are seen. The frame tells its picture's ratio.
    pub(super) fn of(frame: &PoseFrame, sight: Sight) -> Self {
        let ratio = f64::from(frame.aspect_ratio.unwrap_or(1.0));
        let mut points = [None; LANDMARKS.len()];
        for mark in frame.landmarks.iter().filter(|mark| sight.shows(mark)) {
            let (x, y, z) = (f64::from(mark.x) * ratio, f64::from(mark.y), f64::from(mark.z) * ratio * DEPTH_TRUST);
            points[mark.part.index()] = Some(Point { x, y, z });
        }
        Self { timestamp: frame.timestamp, points }
    }

    /// The landmark's point, if it is visible.
    pub(super) fn point(&self, part: Part) -> Option<Point> {
        self.points[part.index()]
    }

    /// The middle of the two points. If only one of them is visible, that point.
    pub(super) fn middle(&self, left: Part, right: Part) -> Option<Point> {
        match (self.point(left), self.point(right)) {
            (Some(a), Some(b)) => {
                Some(Point { x: f64::midpoint(a.x, b.x), y: f64::midpoint(a.y, b.y), z: f64::midpoint(a.z, b.z) })
            }
            (one, other) => one.or(other),
        }
    }

    /// The angle of a joint, in degrees: 180 is straight.
    pub(super) fn angle(&self, joint: Joint, side: Side) -> Option<f64> {
        let [from, at, to] = joint.parts(side);
        Some(angle(self.point(from)?, self.point(at)?, self.point(to)?))
    }

    /// The angles of the visible sides.
    pub(super) fn angles(&self, joint: Joint) -> impl Iterator<Item = f64> {
        SIDES.into_iter().filter_map(move |side| self.angle(joint, side))
    }

    /// The mean angle of the visible sides.
    pub(super) fn mean_angle(&self, joint: Joint) -> Option<f64> {
        match (self.angle(joint, Side::Left), self.angle(joint, Side::Right)) {
            (Some(left), Some(right)) => Some(f64::midpoint(left, right)),
            (one, other) => one.or(other),
        }
    }

    /// The mean distance of two parts on the visible sides. The parts are named by their left landmarks.
    pub(super) fn span(&self, left_from: Part, left_to: Part) -> Option<f64> {
        let on = |from, to| Some(distance(self.point(from)?, self.point(to)?));
        match (on(left_from, left_to), on(left_from.other_side(), left_to.other_side())) {
            (Some(left), Some(right)) => Some(f64::midpoint(left, right)),
            (one, other) => one.or(other),
        }
    }

    pub(super) fn shoulders(&self) -> Option<Point> {
        self.middle(Part::LEFT_SHOULDER, Part::RIGHT_SHOULDER)
    }

    pub(super) fn hips(&self) -> Option<Point> {
        self.middle(Part::LEFT_HIP, Part::RIGHT_HIP)
    }

    pub(super) fn wrists(&self) -> Option<Point> {
        self.middle(Part::LEFT_WRIST, Part::RIGHT_WRIST)
    }

    pub(super) fn ankles(&self) -> Option<Point> {
        self.middle(Part::LEFT_ANKLE, Part::RIGHT_ANKLE)
    }

    /// The chin, which is not a landmark. It lies below the mouth, by the distance from nose to mouth.
    pub(super) fn chin(&self) -> Option<Point> {
        let mouth = self.middle(Part::MOUTH_LEFT, Part::MOUTH_RIGHT)?;
        let nose = self.point(Part::NOSE)?;
        Some(Point { x: mouth.x, y: 2.0 * mouth.y - nose.y, z: mouth.z })
    }

    /// The distance from shoulders to hips. It is the unit of length for all measures of the body.
    pub(super) fn trunk(&self) -> Option<f64> {
        Some(distance(self.shoulders()?, self.hips()?))
    }
}

impl Joint {
    /// The word for both joints of the body.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Elbow => "elbows",
            Self::Shoulder => "shoulders",
            Self::Hip => "hips",
            Self::Knee => "knees",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Elbow => "elbow",
            Self::Shoulder => "shoulder",
            Self::Hip => "hip",
            Self::Knee => "knee",
        }
    }

    /// The three landmarks that form the joint's angle. The joint itself is the second.
    pub(super) fn parts(self, side: Side) -> [Part; 3] {
        let left = match self {
            Self::Elbow => [Part::LEFT_SHOULDER, Part::LEFT_ELBOW, Part::LEFT_WRIST],
            Self::Shoulder => [Part::LEFT_HIP, Part::LEFT_SHOULDER, Part::LEFT_ELBOW],
            Self::Hip => [Part::LEFT_SHOULDER, Part::LEFT_HIP, Part::LEFT_KNEE],
            Self::Knee => [Part::LEFT_HIP, Part::LEFT_KNEE, Part::LEFT_ANKLE],
        };
        match side {
            Side::Left => left,
            Side::Right => left.map(Part::other_side),
        }
    }
}

pub(super) fn distance(a: Point, b: Point) -> f64 {
    ((a.x - b.x).powi(2) + (a.y - b.y).powi(2) + (a.z - b.z).powi(2)).sqrt()
}

fn angle(from: Point, at: Point, to: Point) -> f64 {
    let (a, b) = (distance(from, at), distance(to, at));
    if a * b == 0.0 {
        return 180.0;
    }
    let dot = (from.x - at.x) * (to.x - at.x) + (from.y - at.y) * (to.y - at.y) + (from.z - at.z) * (to.z - at.z);
    (dot / (a * b)).clamp(-1.0, 1.0).acos().to_degrees()
}
