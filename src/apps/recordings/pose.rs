//! Generates the landmarks of a body that exercises, with the noise of a camera.

use tidemill_schemas::{LANDMARKS, Part};

use super::random::Random;

/// Lengths of the limbs of a person of 1.75 m, in metres.
const UPPER_ARM: f64 = 0.30;
const FOREARM: f64 = 0.27;
const THIGH: f64 = 0.43;
const SHANK: f64 = 0.43;
const TRUNK: f64 = 0.50;
const SHOULDER_HALF: f64 = 0.19;
const HIP_HALF: f64 = 0.12;
/// The side of [`reach`] on which a knee bends whose foot is below the hip and whose toes point to positive `x`.
const FORWARD: f64 = -1.0;
/// The side of [`reach`] on which an elbow bends whose hand is below or before the shoulder of such a body.
const BACK: f64 = 1.0;
/// Height of the picture, in metres.
const PICTURE: f64 = 2.6;

/// A camera and the errors of its pose model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Camera {
    /// Width of the picture divided by its height.
    pub(super) ratio: f64,
    /// Whether the picture is mirrored.
    pub(super) mirrored: bool,
    /// The size of everything in the picture; 1 is the usual distance.
    pub(super) scale: f64,
    /// How far everything is moved across the picture, in widths.
    pub(super) shift: f64,
    /// The landmarks that jitter, from the first to the last one, and how much, in heights of the picture.
    pub(super) jitter: (usize, usize, f64),
    /// Whether the model guesses the side that is away from the camera: at rest, and visible now and then.
    pub(super) guesses: bool,
}

impl Camera {
    /// A good camera with a picture of equal sides.
    pub(super) const SQUARE: Self =
        Self { ratio: 1.0, mirrored: false, scale: 1.0, shift: 0.0, jitter: (0, 0, 0.0), guesses: false };
    /// A good camera with a picture of 16:9.
    pub(super) const WIDE: Self = Self { ratio: 16.0 / 9.0, ..Self::SQUARE };
}

/// A point, in metres from the middle of the picture's upper edge. `y` grows downwards.
pub(super) type Spot = [f64; 3];

/// The places of all landmarks, and how visible each side is.
#[derive(Debug, Clone)]
pub(super) struct Posture {
    pub(super) spots: [Spot; LANDMARKS.len()],
    visible: [f64; 2],
}

/// The faults of a pull-up. A clean pull-up has only zeros.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PullUpStyle {
    /// Current sideways shift of the hips, in metres.
    pub(super) swing: f64,
    /// How much lower the right shoulder is than the left at the top, in metres.
    pub(super) tilt: f64,
}

impl Posture {
    /// Hanging from a bar, seen from the front. `pulled` is 0 in the hang and 1 with the chin over the bar.
    pub(super) fn pull_up(pulled: f64, style: PullUpStyle) -> Self {
        let mut body = Self { spots: [[0.0; 3]; LANDMARKS.len()], visible: [0.97, 0.97] };
        let bar = 0.35;
        let below = 0.545 - 0.445 * pulled;
        let mut shoulders = [0.0; 2];
        for (side, sign) in [(0, 1.0), (1, -1.0)] {
            // The athlete faces the camera, so the left side is on the right of the picture.
            // The stronger side pulls higher than usual; otherwise the chin would not pass the bar.
            let lower = pulled * style.tilt * if side == 1 { 0.7 } else { -0.3 };
            let hand = [sign * 0.32, bar, 0.0];
            let shoulder = [sign * SHOULDER_HALF + 0.35 * style.swing, bar + below + lower, 0.02];
            let elbow = reach(shoulder, hand, UPPER_ARM, FOREARM, sign);
            shoulders[side] = shoulder[1];
            body.arm(side, shoulder, elbow, hand);
        }
        let middle = f64::midpoint(shoulders[0], shoulders[1]);
        body.head([0.35 * style.swing, middle, -0.05], 1.0);
        for (side, sign) in [(0, 1.0), (1, -1.0)] {
            let hip = [sign * HIP_HALF + style.swing, middle + TRUNK, 0.02];
            let knee = [hip[0] + 0.25 * style.swing, hip[1] + 0.42, 0.04];
            let ankle = [knee[0] + 0.15 * style.swing, knee[1] + 0.40, 0.14];
            body.leg(side, hip, knee, ankle, [0.0, 0.06, -0.12]);
        }
        body
    }

    /// Squatting, seen from the athlete's left. `down` is 0 standing and 1 with the hips almost at knee height.
    pub(super) fn squat(down: f64) -> Self {
        let mut body = Self { spots: [[0.0; 3]; LANDMARKS.len()], visible: [0.97, 0.72] };
        let floor = 2.3;
        let mut middle = [0.0; 3];
        for (side, depth) in [(0, -HIP_HALF), (1, HIP_HALF)] {
            let ankle = [0.0, floor, depth];
            // The hips go back and down. The knee's place follows from the lengths of thigh and shank.
            let hip = [-0.02 - 0.24 * down, floor - 0.855 + 0.40 * down, depth];
            let knee = reach(hip, ankle, THIGH, SHANK, FORWARD);
            body.leg(side, hip, knee, ankle, [0.20, 0.05, 0.0]);
            let lean = 0.06 + 0.44 * down;
            let shoulder = [hip[0] + TRUNK * lean, hip[1] - TRUNK * (1.0 - lean * lean).sqrt(), depth * 1.5];
            // The arms come forward as a counterweight.
            let hand = [shoulder[0] + 0.10 + 0.42 * down, shoulder[1] + 0.50 - 0.45 * down, depth * 1.5];
            let elbow = reach(shoulder, hand, UPPER_ARM, FOREARM, BACK);
            body.arm(side, shoulder, elbow, hand);
            middle = [shoulder[0], shoulder[1], 0.0];
        }
        body.head(middle, 0.2);
        body
    }

    /// Squatting, seen from the front. `down` is 0 standing and 1 with the hips almost at knee height.
    pub(super) fn squat_from_the_front(down: f64) -> Self {
        let mut body = Self { spots: [[0.0; 3]; LANDMARKS.len()], visible: [0.97, 0.97] };
        let floor = 2.3;
        let mut middle = [0.0; 3];
        for (side, sign) in [(0, 1.0), (1, -1.0)] {
            let ankle = [sign * 0.14, floor, 0.0];
            let hip = [sign * HIP_HALF, floor - 0.855 + 0.40 * down, 0.02 + 0.24 * down];
            // The leg bends towards the camera, so its joints are found in the plane of depth and height.
            let [knee_depth, knee_height, _] =
                reach([-hip[2], hip[1], 0.0], [-ankle[2], ankle[1], 0.0], THIGH, SHANK, FORWARD);
            body.leg(side, hip, [sign * (0.13 + 0.05 * down), knee_height, -knee_depth], ankle, [0.0, 0.05, -0.20]);
            let lean = 0.06 + 0.44 * down;
            let height = hip[1] - TRUNK * (1.0 - lean * lean).sqrt();
            let shoulder = [sign * SHOULDER_HALF, height, hip[2] - TRUNK * lean];
            let hand = [sign * 0.17, shoulder[1] + 0.50 - 0.45 * down, shoulder[2] - 0.10 - 0.42 * down];
            let [elbow_depth, elbow_height, _] =
                reach([-shoulder[2], shoulder[1], 0.0], [-hand[2], hand[1], 0.0], UPPER_ARM, FOREARM, BACK);
            body.arm(side, shoulder, [sign * 0.20, elbow_height, -elbow_depth], hand);
            middle = [0.0, height, shoulder[2]];
        }
        body.head(middle, 1.0);
        body
    }

    /// Walking to the right, seen from the athlete's right. `stride` counts the steps of the left leg.
    pub(super) fn walking(stride: f64) -> Self {
        let mut body = Self { spots: [[0.0; 3]; LANDMARKS.len()], visible: [0.74, 0.97] };
        let floor = 2.3;
        let along = 0.1 * stride - 0.4;
        let mut middle = [0.0; 3];
        for (side, depth, phase) in [(0, HIP_HALF, stride), (1, -HIP_HALF, stride + 0.5)] {
            let part = phase - phase.floor();
            // Half of the time the foot is on the floor, half of the time it swings forward.
            let (foot, lift) = if part < 0.5 {
                (0.2 - 0.8 * part, 0.0)
            } else {
                let swing = 2.0 * part - 1.0;
                (0.4 * swing - 0.2, 0.13 * 4.0 * swing * (1.0 - swing))
            };
            // The hips are highest where a foot is below them.
            let step = (2.0 * part).fract();
            let hip = [along, floor - 0.83 - 0.10 * step * (1.0 - step), depth];
            let ankle = [along + foot, floor - lift, depth];
            body.leg(side, hip, reach(hip, ankle, THIGH, SHANK, FORWARD), ankle, [0.20, 0.05, 0.0]);
            let shoulder = [hip[0] + 0.02, hip[1] - TRUNK, depth * 1.5];
            let hand = [shoulder[0] - foot, shoulder[1] + 0.53, depth * 1.5];
            body.arm(side, shoulder, reach(shoulder, hand, UPPER_ARM, FOREARM, BACK), hand);
            middle = [shoulder[0], shoulder[1], 0.0];
        }
        body.head(middle, 0.2);
        body
    }

    /// Standing and bending the elbows, seen from the athlete's left. `bent` is 0 with straight arms.
    pub(super) fn curl(bent: f64) -> Self {
        let mut body = Self::squat(0.0);
        for (side, depth) in [(0, -SHOULDER_HALF), (1, SHOULDER_HALF)] {
            let shoulder = body.spots[Part::LEFT_SHOULDER.index() + side];
            let elbow = [shoulder[0], shoulder[1] + UPPER_ARM, depth];
            // A point on the circle around the elbow: below it at 0, before it at 1, beside the shoulder at 2.
            let turn = 2.2 * bent;
            let all = 1.0 + turn * turn;
            let hand = [elbow[0] + FOREARM * 2.0 * turn / all, elbow[1] + FOREARM * (1.0 - turn * turn) / all, depth];
            body.arm(side, shoulder, elbow, hand);
        }
        body
    }

    /// Push-up, seen from the athlete's left. `down` is 0 on straight arms and 1 with the chest low; `sag` lowers
    /// the hips, in metres.
    pub(super) fn push_up(down: f64, sag: f64) -> Self {
        let mut body = Self { spots: [[0.0; 3]; LANDMARKS.len()], visible: [0.97, 0.70] };
        let floor = 1.9;
        let mut middle = [0.0; 3];
        for (side, depth) in [(0, -SHOULDER_HALF), (1, SHOULDER_HALF)] {
            let ankle = [-0.75, floor - 0.08, depth * 0.5];
            let shoulder = [0.58, floor - 0.565 + 0.33 * down, depth];
            let along = |part: f64| {
                [ankle[0] + part * (shoulder[0] - ankle[0]), ankle[1] + part * (shoulder[1] - ankle[1]), depth * 0.6]
            };
            let (mut hip, mut knee) = (along(0.62), along(0.31));
            hip[1] += sag;
            knee[1] += 0.5 * sag;
            body.leg(side, hip, knee, ankle, [0.02, 0.10, 0.0]);
            let hand = [0.60, floor, depth];
            let elbow = reach(shoulder, hand, UPPER_ARM, FOREARM, BACK);
            body.arm(side, shoulder, elbow, hand);
            middle = [shoulder[0] + 0.12, shoulder[1] + 0.02, 0.0];
        }
        body.head(middle, 0.2);
        body
    }

    fn set(&mut self, left: Part, side: usize, spot: Spot) {
        self.spots[left.index() + side] = spot;
    }

    fn arm(&mut self, side: usize, shoulder: Spot, elbow: Spot, hand: Spot) {
        self.set(Part::LEFT_SHOULDER, side, shoulder);
        self.set(Part::LEFT_ELBOW, side, elbow);
        self.set(Part::LEFT_WRIST, side, hand);
        // Pinky, index finger and thumb lie a hand's length beyond the wrist.
        for (finger, offset) in [(17, 0.02), (19, -0.02), (21, -0.04)] {
            self.spots[finger + side] = [hand[0] + offset, hand[1] - 0.06, hand[2]];
        }
    }

    fn leg(&mut self, side: usize, hip: Spot, knee: Spot, ankle: Spot, toes: Spot) {
        self.set(Part::LEFT_HIP, side, hip);
        self.set(Part::LEFT_KNEE, side, knee);
        self.set(Part::LEFT_ANKLE, side, ankle);
        self.spots[29 + side] = [ankle[0] - 0.3 * toes[0], ankle[1] + 0.05, ankle[2]];
        self.spots[31 + side] = [ankle[0] + toes[0], ankle[1] + toes[1], ankle[2] + toes[2]];
    }

    /// Places the nose above the middle of the shoulders, and eyes, ears and mouth around the nose.
    fn head(&mut self, neck: Spot, width: f64) {
        let nose = [neck[0], neck[1] - 0.25, neck[2] - 0.08];
        let offsets = [
            (0, 0.0, 0.0),
            (1, 0.02, -0.03),
            (2, 0.03, -0.03),
            (3, 0.04, -0.03),
            (4, -0.02, -0.03),
            (5, -0.03, -0.03),
            (6, -0.04, -0.03),
            (7, 0.08, 0.0),
            (8, -0.08, 0.0),
            (9, 0.025, 0.04),
            (10, -0.025, 0.04),
        ];
        for (part, across, down) in offsets {
            self.spots[part] = [nose[0] + width * across, nose[1] + down, nose[2]];
        }
    }

    /// The landmarks as JSON, as a pose model reports them: with noise, and sometimes with a wrong point, which has a
    /// low visibility. `rest` is the posture in which the model guesses a side that it does not see.
    pub(super) fn landmarks(&self, camera: &Camera, rest: &Self, random: &mut Random) -> String {
        let Camera { ratio, mirrored, scale, shift, jitter: (first, last, jitter), guesses } = *camera;
        let mut points = Vec::with_capacity(LANDMARKS.len());
        for (i, spot) in self.spots.iter().enumerate() {
            let right = i >= 11 && i % 2 == 0;
            let guessed = guesses && right;
            let [x, y, z] = if guessed { rest.spots[i] } else { *spot };
            let slipped = random.chance(0.004);
            let slip = if slipped { 0.05 * random.normal() } else { 0.0 };
            let mut x = 0.5 + shift + scale * x / (PICTURE * ratio) + 0.0025 * random.normal() / ratio + slip;
            let mut y = scale * y / PICTURE + 0.0025 * random.normal() + slip;
            let z = scale * z / (PICTURE * ratio) + 0.008 * random.normal() / ratio;
            let seen = if guessed { 0.58 } else { self.visible[usize::from(right)] };
            let spread = if guessed { 0.12 } else { 0.02 };
            let visibility = if slipped { 0.3 } else { (seen + spread * random.normal()).clamp(0.0, 0.999) };
            if jitter > 0.0 && (first..=last).contains(&i) {
                x += jitter * random.normal() / ratio;
                y += jitter * random.normal();
            }
            let (part, x) = if mirrored { (other_side(i), 1.0 - x) } else { (i, x) };
            points.push(format!(
                "{{\"part\":{part},\"x\":{x:.3},\"y\":{y:.3},\"z\":{z:.3},\"visibility\":{visibility:.2}}}"
            ));
        }
        points.join(",")
    }
}

/// The middle joint of a limb between two ends, on the given side of the line between them.
fn reach(from: Spot, to: Spot, first: f64, second: f64, side: f64) -> Spot {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let distance = (dx * dx + dy * dy).sqrt().clamp((first - second).abs() + 1e-6, first + second - 1e-6);
    let along = (first * first - second * second + distance * distance) / (2.0 * distance);
    let off = side * (first * first - along * along).max(0.0).sqrt();
    let (ux, uy) = (dx / distance, dy / distance);
    // The offset is perpendicular to the line. If `side` is positive, it points to positive x where the line goes up, to
    // negative x where the line goes down, and down where the line goes to positive x.
    [from[0] + along * ux - off * uy, from[1] + along * uy + off * ux, f64::midpoint(from[2], to[2])]
}

/// The index of the same landmark on the other side of the body.
fn other_side(index: usize) -> usize {
    Part::from_index(index).map_or(index, |part| part.other_side().index())
}
