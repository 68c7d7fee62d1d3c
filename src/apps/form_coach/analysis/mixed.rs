//! Tells the frames of one body from frames that show two bodies in turn.
//!
//! Two cameras of one athlete, or two persons before one camera, make a body that jumps between two places. No body does
//! that: a jump and the way back within some tenths of a second need more acceleration than a body has.

use tidemill_schemas::{Part, PoseFrame};

use super::body::VISIBLE;
use super::motion::median;

/// The parts of the torso, left and right in turn.
const TORSO: [Part; 4] = [Part::LEFT_SHOULDER, Part::RIGHT_SHOULDER, Part::LEFT_HIP, Part::RIGHT_HIP];
/// The bones whose lengths tell a body from points without order: the sides of the trunk, and the thighs.
const BONES: [[Part; 2]; 4] = [
    [Part::LEFT_SHOULDER, Part::LEFT_HIP],
    [Part::RIGHT_SHOULDER, Part::RIGHT_HIP],
    [Part::LEFT_HIP, Part::LEFT_KNEE],
    [Part::RIGHT_HIP, Part::RIGHT_KNEE],
];
/// A bone whose length in the picture changes by this share of it between two frames is wrong in one of them.
const BONE_CHANGE: f64 = 0.5;
/// Frames that are farther apart in time say nothing about bones: limbs turn to the camera and away.
const BONE_MS: i64 = 600;
/// The least number of compared bones that tells whether the points are a body.
const LEAST_BONES: usize = 4;
/// The length of a trunk in widths of the shoulders. It stands for the trunk if the trunk points at the camera.
const TRUNK_OF_SHOULDERS: f64 = 1.3;
/// The most that a torso accelerates, in trunks per second squared: about three times gravity.
const ACCELERATION: f64 = 60.0;
/// The most that a torso is away from the way between its neighbours because the pose model errs, in trunks.
const JITTER: f64 = 0.3;
/// The fastest torso, in trunks per second.
const SPEED: f64 = 6.0;
/// A step between two frames that is no jump at any speed, in trunks.
const STEP: f64 = 0.6;
/// Two neighbouring frames that are farther apart in time say nothing about jumps.
const NEAR_MS: i64 = 300;
/// This many jumps make two bodies. A single jump is an error of the pose model.
const JUMPS: usize = 3;

/// The visible points of a torso.
pub(super) type Spots = [Option<[f64; 2]>; TORSO.len()];

/// The frames without repeats, and without single frames that show the body at another place. `None` if the frames show
/// two bodies in turn.
pub(super) fn of_one_body(mut frames: Vec<PoseFrame>) -> Option<Vec<PoseFrame>> {
    let unit = median(frames.iter().filter_map(|frame| size(&torso(frame)))).filter(|unit| *unit > 0.0);
    let Some(unit) = unit else {
        frames.dedup_by_key(|frame| frame.timestamp);
        return Some(frames);
    };
    let at_once = frames.windows(2).filter(|two| {
        two[0].timestamp == two[1].timestamp
            && apart(&torso(&two[0]), &torso(&two[1])).is_some_and(|apart| apart > JITTER * unit)
    });
    let at_once = at_once.count();
    frames.dedup_by_key(|frame| frame.timestamp);

    let torsos: Vec<(i64, Spots)> = frames.iter().map(|frame| (frame.timestamp, torso(frame))).collect();
    let strays: Vec<usize> = (1..frames.len().saturating_sub(1)).filter(|at| strays(&torsos, *at, unit)).collect();
    let steps = torsos.windows(2).filter(|two| jumps(&two[0], &two[1], unit)).count();
    let camera = |frame: &PoseFrame| (frame.aspect_ratio, frame.mirrored);
    let cameras = frames.windows(2).filter(|two| camera(&two[0]) != camera(&two[1])).count();
    if strays.len() + at_once >= JUMPS || steps >= JUMPS || cameras >= JUMPS || is_no_body(&frames, unit) {
        return None;
    }
    let mut at = 0..;
    frames.retain(|_| !strays.contains(&at.next().unwrap_or_default()));
    Some(frames)
}

/// Whether the lengths of bones change from frame to frame as those of no body: a quarter of all changes or more is wild.
fn is_no_body(frames: &[PoseFrame], unit: f64) -> bool {
    let (mut compared, mut wild) = (0, 0);
    for [from, to] in BONES {
        let length = |frame: &PoseFrame| Some(distance(spot(frame, from)?, spot(frame, to)?));
        let lengths: Vec<(i64, f64)> =
            frames.iter().filter_map(|frame| Some((frame.timestamp, length(frame)?))).collect();
        let usual = median(lengths.iter().map(|(_, length)| *length)).unwrap_or(0.0).max(0.5 * unit);
        for two in lengths.windows(2).filter(|two| two[1].0 - two[0].0 <= BONE_MS) {
            compared += 1;
            wild += usize::from((two[1].1 - two[0].1).abs() > BONE_CHANGE * usual);
        }
    }
    compared >= LEAST_BONES && 4 * wild >= compared
}

/// The visible points of a frame's torso.
pub(super) fn torso(frame: &PoseFrame) -> Spots {
    TORSO.map(|part| spot(frame, part))
}

/// Where a part is in the picture, if it is visible.
fn spot(frame: &PoseFrame, part: Part) -> Option<[f64; 2]> {
    let ratio = f64::from(frame.aspect_ratio.unwrap_or(1.0));
    let mark = frame.landmarks.iter().find(|mark| mark.part == part)?;
    (mark.visibility.is_none_or(|v| v >= VISIBLE)).then(|| [f64::from(mark.x) * ratio, f64::from(mark.y)])
}

/// The size of a torso in the picture: the length of its trunk, or what the shoulders tell about it.
fn size([left, right, left_hip, right_hip]: &Spots) -> Option<f64> {
    let between = |a: &Option<[f64; 2]>, b: &Option<[f64; 2]>| Some(distance((*a)?, (*b)?));
    let trunks = [between(left, left_hip), between(right, right_hip)];
    let shoulders = between(left, right).map(|width| TRUNK_OF_SHOULDERS * width);
    trunks.into_iter().chain([shoulders]).flatten().max_by(f64::total_cmp)
}

/// How far two torsos are apart. Pose models take left for right now and then; that does not count.
fn apart(a: &Spots, b: &Spots) -> Option<f64> {
    let swapped = [b[1], b[0], b[3], b[2]];
    let ways = [direct(a, b), direct(a, &swapped)];
    ways.into_iter().flatten().min_by(f64::total_cmp)
}

/// The mean distance of the points that both torsos have. `None` if there are fewer than two.
fn direct(a: &Spots, b: &Spots) -> Option<f64> {
    let distances: Vec<f64> = a.iter().zip(b).filter_map(|(a, b)| Some(distance((*a)?, (*b)?))).collect();
    (distances.len() >= 2).then(|| distances.iter().sum::<f64>() / distances.len() as f64)
}

/// Whether the torso of the second of three frames is at another place than those of the frames around it.
pub(super) fn is_stray(torsos: &[(i64, Spots); 3]) -> bool {
    size(&torsos[0].1).filter(|unit| *unit > 0.0).is_some_and(|unit| strays(torsos, 1, unit))
}

/// Whether the torso is faster between two frames than a body can be.
pub(super) fn is_jump(from: &(i64, Spots), to: &(i64, Spots)) -> bool {
    size(&from.1).filter(|unit| *unit > 0.0).is_some_and(|unit| jumps(from, to, unit))
}

/// Whether the torso is away from its place in this frame only, and the frames before and after agree.
fn strays(torsos: &[(i64, Spots)], at: usize, unit: f64) -> bool {
    let [(before_ms, before), (at_ms, here), (after_ms, after)] = [torsos[at - 1], torsos[at], torsos[at + 1]];
    let (there, back) = (at_ms - before_ms, after_ms - at_ms);
    if there > NEAR_MS || back > NEAR_MS {
        return false;
    }
    let seconds_squared = (there * back) as f64 / 1e6;
    let most = JITTER.max(0.5 * ACCELERATION * seconds_squared) * unit;
    let part = there as f64 / (there + back) as f64;
    let between: Spots = std::array::from_fn(|i| {
        let ([x0, y0], [x1, y1]) = (before[i]?, after[i]?);
        Some([x0 + part * (x1 - x0), y0 + part * (y1 - y0)])
    });
    let Some(off) = apart(&between, &here) else { return false };
    off > most && apart(&before, &after).is_some_and(|apart| apart <= 0.5 * off)
}

/// Whether the torso is faster between two frames than a body can be.
fn jumps((from_ms, from): &(i64, Spots), (to_ms, to): &(i64, Spots), unit: f64) -> bool {
    let took = to_ms - from_ms;
    let most = STEP.max(SPEED * took as f64 / 1000.0) * unit;
    took <= NEAR_MS && apart(from, to).is_some_and(|apart| apart > most)
}

fn distance([ax, ay]: [f64; 2], [bx, by]: [f64; 2]) -> f64 {
    ((ax - bx).powi(2) + (ay - by).powi(2)).sqrt()
}
