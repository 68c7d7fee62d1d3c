//! Measures of a whole window: ranges, swing, symmetry, posture.

use tidemill_schemas::{Exercise, JointRange, Part, Side, Symmetry};

use super::body::{Body, JOINTS, Joint, SIDES, distance};
use super::repetition::Drive;

/// A joint with a smaller range does no work, so its symmetry is not measured. In degrees.
pub(super) const WORK_DEG: f64 = 35.0;
/// If the distance of the shoulders is a smaller share of the trunk, the athlete is seen from the side.
const FRONTAL: f64 = 0.35;

/// The range of every visible joint.
pub(super) fn joint_ranges(bodies: &[Body]) -> Vec<JointRange> {
    let mut ranges = Vec::new();
    for joint in JOINTS {
        for side in SIDES {
            if let Some((low, high)) = trimmed(bodies.iter().filter_map(|body| body.angle(joint, side))) {
                let name = if side == Side::Left { "left" } else { "right" };
                ranges.push(JointRange {
                    joint: format!("{name}_{}", joint.name()),
                    min_deg: low.round() as f32,
                    max_deg: high.round() as f32,
                });
            }
        }
    }
    ranges
}

/// How far the hips moved sideways under the hands, in trunks.
pub(super) fn swing(bodies: &[Body]) -> Option<f64> {
    let trunk = median(bodies.iter().filter_map(Body::trunk))?;
    let (low, high) = trimmed(bodies.iter().filter_map(|body| Some(body.hips()?.x - body.wrists()?.x)))?;
    Some((high - low) / trunk)
}

/// How far the hips bent, in degrees.
pub(super) fn hip_range(bodies: &[Body]) -> Option<f64> {
    let (low, high) = trimmed(bodies.iter().filter_map(|body| body.mean_angle(Joint::Hip)))?;
    Some(high - low)
}

/// Compares left and right, by the ranges of the leading joint and by the tilt of a line that should stay level.
pub(super) fn symmetry(bodies: &[Body], exercise: Exercise, drive: Drive) -> Option<Symmetry> {
    let range = |side| {
        let (low, high) = trimmed(bodies.iter().filter_map(|body| body.angle(drive.joint, side)))?;
        Some(high - low)
    };
    let (left, right) = (range(Side::Left)?, range(Side::Right)?);
    let most = f64::max(left, right);
    if most < WORK_DEG {
        return None;
    }
    let by_range = 1.0 - (left - right).abs() / most;
    // The tilt is positive if the left side is higher.
    let tilt = median(bodies.iter().filter_map(|body| tilt(body, exercise, drive))).unwrap_or(0.0);
    let score = by_range.min(1.0 - tilt.abs()).clamp(0.0, 1.0);
    let leans_left = if 1.0 - tilt.abs() < by_range { tilt > 0.0 } else { left > right };
    let stronger = (score < 0.85).then_some(if leans_left { Side::Left } else { Side::Right });
    Some(Symmetry { score: ((score * 100.0).round() / 100.0) as f32, stronger })
}

/// The tilt of the shoulders under the hands, or of the hips over the feet, in widths. It is measured only away from
/// the start position, where the athlete works, and only if the athlete is seen from the front.
fn tilt(body: &Body, exercise: Exercise, drive: Drive) -> Option<f64> {
    let ([left, right], [left_base, right_base]) = match exercise {
        Exercise::PullUp => ([Part::LEFT_SHOULDER, Part::RIGHT_SHOULDER], [Part::LEFT_WRIST, Part::RIGHT_WRIST]),
        Exercise::Squat => ([Part::LEFT_HIP, Part::RIGHT_HIP], [Part::LEFT_ANKLE, Part::RIGHT_ANKLE]),
        Exercise::PushUp | Exercise::Other => return None,
    };
    let (left, right) = (body.point(left)?, body.point(right)?);
    let width = (left.x - right.x).abs();
    if drive.signal(body)? < 0.5 || width < FRONTAL * body.trunk()? {
        return None;
    }
    let base = body.point(right_base)?.y - body.point(left_base)?.y;
    Some((right.y - left.y - base) / width)
}

/// The distance of the hips from the line between shoulders and ankles, in trunks; positive if the hips hang down.
pub(super) fn sag(body: &Body) -> Option<f64> {
    let (shoulders, hips, ankles) = (body.shoulders()?, body.hips()?, body.ankles()?);
    let along = (hips.x - shoulders.x) / (ankles.x - shoulders.x);
    if !along.is_finite() {
        return None;
    }
    let line = shoulders.y + along * (ankles.y - shoulders.y);
    Some((hips.y - line) / body.trunk()?)
}

/// The lean of the torso: how far the shoulders are ahead of the hips, in trunks. Measured only from the side.
pub(super) fn lean(body: &Body) -> Option<f64> {
    Some((body.shoulders()?.x - body.hips()?.x).abs() / body.trunk()?)
}

/// The distance of the knees divided by the distance of the ankles. Measured only from the front.
pub(super) fn knee_gap(body: &Body) -> Option<f64> {
    let gap = |left, right| Some((body.point(left)?.x - body.point(right)?.x).abs());
    let ankles = gap(Part::LEFT_ANKLE, Part::RIGHT_ANKLE)?;
    let hips = distance(body.point(Part::LEFT_HIP)?, body.point(Part::RIGHT_HIP)?);
    (ankles > 0.6 * hips && ankles > 0.2 * body.trunk()?)
        .then(|| gap(Part::LEFT_KNEE, Part::RIGHT_KNEE).map(|knees| knees / ankles))?
}

/// How far the chin is above the hands, in trunks.
pub(super) fn chin_clearance(body: &Body) -> Option<f64> {
    Some((body.wrists()?.y - body.chin()?.y) / body.trunk()?)
}

/// The second lowest and the second highest value. The most extreme values may be errors of the pose model.
pub(super) fn trimmed(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0..3 => None,
        3..8 => Some((values[0], values[values.len() - 1])),
        n => Some((values[1], values[n - 2])),
    }
}

/// The median. Of an even number of values, it is the upper one of the two middle values.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
