//! Finds the faults of a window and describes them with numbers.

use tidemill_schemas::{Exercise, Fault, FaultKind, Level, Repetition, Side, Symmetry, UserProfile};

use super::body::{Body, Joint};
use super::motion::{hip_range, knee_gap, lean, median, sag, swing};
use super::repetition::{Drive, Turn};

/// The distance from shoulders to hips, as a share of the body's height.
const TRUNK_OF_HEIGHT: f64 = 0.288;
const SWING_TRUNKS: f64 = 0.3;
const KIP_DEG: f64 = 55.0;
const SYMMETRY: f32 = 0.82;
const SAG_TRUNKS: f64 = 0.16;
const LEAN_TRUNKS: f64 = 0.82;
const KNEE_GAP: f64 = 0.75;
/// Below this signal the athlete is in the start position.
const EXTENDED: f64 = 0.3;
/// If half of the way back takes less than this, the athlete drops instead of moving back slowly.
const DROP_MS: i64 = 250;

/// The data from which faults are derived.
pub(super) struct Evidence<'a> {
    pub(super) exercise: Exercise,
    pub(super) drive: Drive,
    pub(super) bodies: &'a [Body],
    pub(super) turns: &'a [(Turn, Repetition)],
    pub(super) symmetry: Option<Symmetry>,
    pub(super) profile: Option<&'a UserProfile>,
}

/// A fault, with the details that the coach needs for a correction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) fault: Fault,
    /// The side that does more, for faults with a side.
    pub(super) side: Option<Side>,
    /// The direction in which the body leaves the line, for faults with a direction.
    pub(super) direction: Option<Direction>,
}

/// A direction away from a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Above,
    Below,
}

/// Whether a repetition went far enough to count: chin over the bar, chest down, hips to knee height.
pub(super) fn is_full(exercise: Exercise, turn: &Turn, level: Level) -> bool {
    let far_enough = match level {
        Level::Beginner => 0.7,
        Level::Intermediate | Level::Advanced => 0.8,
    };
    match (exercise, turn.cleared) {
        (Exercise::PullUp, Some(cleared)) => cleared > -0.03,
        _ => turn.peak >= far_enough,
    }
}

/// All faults, the worst first.
pub(super) fn faults(on: &Evidence<'_>) -> Vec<Found> {
    let mut faults: Vec<Found> = [half(on), incomplete_extension(on), dropping(on), one_sided(on)]
        .into_iter()
        .chain(match on.exercise {
            Exercise::PullUp => [swinging(on), None],
            Exercise::PushUp => [bent_body(on), None],
            Exercise::Squat => [leaning(on), knees_caving(on)],
            Exercise::Other => [None, None],
        })
        .flatten()
        .collect();
    faults.sort_by(|a, b| b.fault.severity.total_cmp(&a.fault.severity));
    faults
}

fn fault(kind: FaultKind, severity: f64, detail: String) -> Found {
    let fault = Fault { kind, severity: ((severity.clamp(0.1, 1.0) * 100.0).round() / 100.0) as f32, detail };
    Found { fault, side: None, direction: None }
}

/// A length in centimetres, or in percent of the trunk if the athlete's height is unknown.
fn length(on: &Evidence<'_>, trunks: f64) -> String {
    match on.profile.and_then(|profile| profile.height_cm) {
        Some(height) => format!("{:.0} cm", trunks * TRUNK_OF_HEIGHT * f64::from(height)),
        None => format!("{:.0}% of your trunk", trunks * 100.0),
    }
}

fn half(on: &Evidence<'_>) -> Option<Found> {
    let halves: Vec<&Turn> = on.turns.iter().filter(|(_, rep)| !rep.full).map(|(turn, _)| turn).collect();
    let worst = halves.iter().min_by(|a, b| a.peak.total_cmp(&b.peak))?;
    let missing = 1.0 - worst.peak.clamp(0.0, 1.0);
    let detail = match (on.exercise, worst.cleared) {
        (Exercise::PullUp, Some(cleared)) => format!("the chin stayed {} below the bar", length(on, -cleared)),
        (Exercise::Squat, _) => format!("the knees stopped {:.0}° short of parallel", on.drive.degrees(missing)),
        _ => format!("the elbows stopped {:.0}° short", on.drive.degrees(missing)),
    };
    let share = halves.len() as f64 / on.turns.len() as f64;
    Some(fault(FaultKind::HalfRepetition, (0.4 + missing) * (0.5 + 0.5 * share), detail))
}

fn incomplete_extension(on: &Evidence<'_>) -> Option<Found> {
    let seen = on.turns.iter().filter(|(turn, _)| !turn.cut);
    let valley = seen.map(|(turn, _)| turn.valley).max_by(f64::total_cmp)?;
    if valley < EXTENDED {
        return None;
    }
    let joint = if on.drive.joint == Joint::Knee { "knees" } else { "elbows" };
    let detail = format!("the {joint} stayed {:.0}° bent between repetitions", on.drive.degrees(valley));
    Some(fault(FaultKind::IncompleteExtension, valley, detail))
}

fn dropping(on: &Evidence<'_>) -> Option<Found> {
    let falls = |turn: &Turn| turn.end_ms - turn.peak_ms <= DROP_MS;
    if on.turns.is_empty() || !on.turns.iter().all(|(turn, _)| falls(turn)) {
        return None;
    }
    Some(fault(FaultKind::Dropping, 0.4, "half of the way back took a quarter of a second".into()))
}

fn one_sided(on: &Evidence<'_>) -> Option<Found> {
    let symmetry = on.symmetry.filter(|symmetry| symmetry.score < SYMMETRY)?;
    let (side, name) =
        if symmetry.stronger == Some(Side::Left) { (Side::Left, "left") } else { (Side::Right, "right") };
    let difference = 100.0 * (1.0 - symmetry.score);
    let detail = format!("the {name} side does {difference:.0}% more than the other");
    let fault = fault(FaultKind::OneSided, f64::from(1.0 - symmetry.score) * 1.5, detail);
    Some(Found { side: Some(side), ..fault })
}

fn swinging(on: &Evidence<'_>) -> Option<Found> {
    let swing = swing(on.bodies).unwrap_or(0.0);
    let kip = hip_range(on.bodies).unwrap_or(0.0);
    if swing > SWING_TRUNKS {
        let detail = format!("the hips swung {} from side to side", length(on, swing));
        Some(fault(FaultKind::Swinging, 0.3 + swing - SWING_TRUNKS, detail))
    } else if kip > KIP_DEG {
        Some(fault(FaultKind::Swinging, 0.3 + (kip - KIP_DEG) / 90.0, format!("the hips kicked through {kip:.0}°")))
    } else {
        None
    }
}

fn bent_body(on: &Evidence<'_>) -> Option<Found> {
    let sag = median(on.bodies.iter().filter_map(sag))?;
    let (direction, way) =
        if sag > 0.0 { (Direction::Below, "hang below") } else { (Direction::Above, "stick out above") };
    let detail = format!("the hips {way} the line from shoulders to ankles by {}", length(on, sag.abs()));
    (sag.abs() > SAG_TRUNKS).then(|| {
        let fault = fault(FaultKind::BentBody, 0.3 + 2.0 * (sag.abs() - SAG_TRUNKS), detail);
        Found { direction: Some(direction), ..fault }
    })
}

fn leaning(on: &Evidence<'_>) -> Option<Found> {
    let lean = on.bodies.iter().filter_map(lean).max_by(f64::total_cmp)?;
    let detail = "the chest fell towards the floor".to_owned();
    (lean > LEAN_TRUNKS).then(|| fault(FaultKind::LeaningForward, 0.3 + 3.0 * (lean - LEAN_TRUNKS), detail))
}

fn knees_caving(on: &Evidence<'_>) -> Option<Found> {
    let deep = on.bodies.iter().filter(|body| on.drive.signal(body).is_some_and(|signal| signal > 0.5));
    let gap = median(deep.filter_map(knee_gap))?;
    let detail = format!("the knees came to {:.0}% of the distance of the feet", gap * 100.0);
    (gap < KNEE_GAP).then(|| fault(FaultKind::KneesCaving, 0.3 + 2.0 * (KNEE_GAP - gap), detail))
}
