//! The width of the picture divided by its height, for frames that do not tell it.
//!
//! Limbs keep their lengths when they turn in the picture. With the landmarks' `x` in widths and `y` in heights, a limb's
//! squared length is `ratio² · u + v`, where `u` is its squared extent across the picture and `v` down the picture. So
//! when a limb turns, `v` falls as `u` grows, and the slope of that line tells the ratio.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Part, PoseFrame};

use super::{body::DEPTH_TRUST, sight::Sight};

/// The limbs, each with its ends: upper arms, forearms, thighs, shanks.
const LIMBS: [(Part, Part); 8] = [
    (Part::LEFT_SHOULDER, Part::LEFT_ELBOW),
    (Part::RIGHT_SHOULDER, Part::RIGHT_ELBOW),
    (Part::LEFT_ELBOW, Part::LEFT_WRIST),
    (Part::RIGHT_ELBOW, Part::RIGHT_WRIST),
    (Part::LEFT_HIP, Part::LEFT_KNEE),
    (Part::RIGHT_HIP, Part::RIGHT_KNEE),
    (Part::LEFT_KNEE, Part::LEFT_ANKLE),
    (Part::RIGHT_KNEE, Part::RIGHT_ANKLE),
];
/// A limb turns if `v` changes by more than this share of the squared length, and `u` along with it.
const TURNS: f64 = 0.12;
/// A limb whose `v` changes by more than this turns in any case. If its `u` does not go along, it speaks against a ratio.
const TURNS_FAR: f64 = 0.4;
/// How well `u` and `v` of a limb that turns a little must lie on a line.
const ALONG: f64 = 0.5;
/// The least number of samples.
const SAMPLES: f64 = 8.0;
/// How well `u` and `v` must lie on a line.
const CORRELATION: f64 = 0.8;
/// The largest relative error of the squared ratio.
const ERROR: f64 = 0.1;
/// Cameras' ratios, from a telephone held upright to one held across, with some room for errors.
const CAMERAS: std::ops::RangeInclusive<f64> = 0.4..=2.5;
/// Two ratios that differ more are of two pictures.
const SAME: f64 = 0.15;
/// The weight of what earlier windows told.
const KEPT: f64 = 0.5;

/// What turning limbs told about the picture: sums over samples of `u` and `v`, around each limb's mean.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Proportions {
    samples: f64,
    across: f64,
    down: f64,
    both: f64,
}

/// The ratio for frames that do not tell theirs: the one that other frames of the window tell, or the one that limbs
/// tell. `None` if there is none of both. `kept` carries what limbs told from window to window.
pub(super) fn aspect_ratio(frames: &[PoseFrame], kept: &mut Proportions) -> Option<f32> {
    if let Some(told) = frames.iter().rev().find_map(|frame| frame.aspect_ratio) {
        *kept = Proportions::default();
        return Some(told);
    }
    let own = Proportions::of(frames);
    let together = own.and(if own.samples > 0.0 { KEPT } else { 1.0 }, *kept);
    let (own_ratio, ratio) = (own.ratio(), together.ratio());
    let turned = match (own_ratio, ratio) {
        (Some(own), Some(all)) => (own / all - 1.0).abs() > SAME,
        (Some(_), None) => true,
        (None, _) => false,
    };
    *kept = if turned { own } else { together };
    if turned { own_ratio } else { ratio }.map(|ratio| ratio as f32)
}

impl Proportions {
    fn of(frames: &[PoseFrame]) -> Self {
        LIMBS.iter().fold(Self::default(), |sum, (from, to)| {
            let samples: Vec<[f64; 3]> = frames.iter().filter_map(|frame| extents(frame, *from, *to)).collect();
            sum.and(1.0, Self::of_limb(&samples))
        })
    }

    /// The sums of one limb, or nothing if the limb does not turn, or turns towards the camera.
    fn of_limb(samples: &[[f64; 3]]) -> Self {
        let range = |axis: usize| {
            let values = || samples.iter().map(|sample| sample[axis]);
            values().fold(f64::MIN, f64::max) - values().fold(f64::MAX, f64::min)
        };
        let longest = samples.iter().map(|[u, v, _]| u + v).fold(0.0, f64::max);
        let turned = range(1);
        if samples.len() < 3 || turned < TURNS * longest || range(2) > range(0) {
            return Self::default();
        }
        let count = samples.len() as f64;
        let mean = |axis: usize| samples.iter().map(|sample| sample[axis]).sum::<f64>() / count;
        let (u_mean, v_mean) = (mean(0), mean(1));
        let sum = samples.iter().fold(Self { samples: count, ..Self::default() }, |sum, [u, v, _]| {
            let (u, v) = (u - u_mean, v - v_mean);
            Self { across: sum.across + u * u, down: sum.down + v * v, both: sum.both + u * v, ..sum }
        });
        if turned >= TURNS_FAR * longest || sum.correlation() >= ALONG { sum } else { Self::default() }
    }

    /// How well `v` falls as `u` grows: 1 is a line.
    fn correlation(self) -> f64 {
        -self.both / (self.across * self.down).sqrt()
    }

    fn and(self, weight: f64, other: Self) -> Self {
        Self {
            samples: self.samples + weight * other.samples,
            across: self.across + weight * other.across,
            down: self.down + weight * other.down,
            both: self.both + weight * other.both,
        }
    }

    /// The ratio, if it is certain enough. Both `u` and `v` have errors, so the line is the one that treats them alike.
    fn ratio(self) -> Option<f64> {
        let correlation = self.correlation();
        let error = ((1.0 - correlation * correlation).max(0.0) / self.samples).sqrt();
        let ratio = (self.down / self.across).powf(0.25);
        (self.samples >= SAMPLES && correlation >= CORRELATION && error <= ERROR && CAMERAS.contains(&ratio))
            .then_some(ratio)
    }
}

/// A limb's squared extents in one frame: across the picture, down the picture, and away from the camera, where the
/// first one includes the last one as far as depths are trusted.
fn extents(frame: &PoseFrame, from: Part, to: Part) -> Option<[f64; 3]> {
    let point = |part: Part| {
        let mark = frame.landmarks.iter().find(|mark| mark.part == part)?;
        Sight::BOTH_SIDES.shows(mark).then(|| [mark.x, mark.y, mark.z].map(f64::from))
    };
    let ([x0, y0, z0], [x1, y1, z1]) = (point(from)?, point(to)?);
    let (across, away) = ((x1 - x0).powi(2), (DEPTH_TRUST * (z1 - z0)).powi(2));
    Some([across + away, (y1 - y0).powi(2), (z1 - z0).powi(2)])
}
