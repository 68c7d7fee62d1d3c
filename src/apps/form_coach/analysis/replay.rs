//! The frames of a window for the page's replay: few and small, in order of time.

use tidemill_schemas::{FrameMark, LANDMARKS, PoseFrame};

use super::body::VISIBLE;

/// The maximum number of frames: five per second in a window of three seconds.
const FRAMES: usize = 15;

/// At most [`FRAMES`] of the frames, in order of time. The first and the last frame are included.
pub(super) fn replay(frames: &[PoseFrame]) -> Vec<Vec<FrameMark>> {
    let last = frames.len().saturating_sub(1);
    let chosen = frames.len().min(FRAMES);
    (0..chosen).map(|at| marks(&frames[at * last / (chosen - 1).max(1)])).collect()
}

/// The frame's landmarks in the pose model's order.
fn marks(frame: &PoseFrame) -> Vec<FrameMark> {
    let ratio = frame.aspect_ratio.unwrap_or(1.0);
    let mut marks = vec![[0.0; 3]; LANDMARKS.len()];
    for mark in &frame.landmarks {
        let visibility = mark.visibility.unwrap_or(1.0);
        // Landmarks out of sight keep their places, so that a drawing can continue from there when they come back.
        let seen = if visibility >= VISIBLE { rounded(visibility, 100.0) } else { 0.0 };
        marks[mark.part.index()] = [rounded(mark.x * ratio, 1000.0), rounded(mark.y, 1000.0), seen];
    }
    marks
}

/// Rounds a value to `1 / parts`, because fewer digits make results smaller. A value too large to round is far outside
/// the picture.
fn rounded(value: f32, parts: f32) -> f32 {
    let rounded = (value * parts).round() / parts;
    if rounded.is_finite() { rounded } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use tidemill_schemas::{Landmark, Part};

    use super::*;

    fn frame(timestamp: i64, aspect_ratio: Option<f32>, landmarks: Vec<Landmark>) -> PoseFrame {
        let (user_id, exercise) = ("ada".into(), "squat".into());
        PoseFrame { user_id, timestamp, exercise, aspect_ratio, mirrored: false, landmarks }
    }

    fn mark(part: Part, x: f32, visibility: Option<f32>) -> Landmark {
        Landmark { part, x, y: 0.123_456, z: 0.5, visibility }
    }

    #[test]
    fn a_long_window_is_replayed_from_its_first_frame_to_its_last() {
        let frames: Vec<_> = (0..90).map(|at| frame(at, None, vec![mark(Part::NOSE, at as f32, None)])).collect();
        let replayed =
            |count: usize| -> Vec<f32> { replay(&frames[..count]).iter().map(|marks| marks[0][0]).collect() };
        let long = replayed(90);
        assert_eq!((long.len(), long[0], long[14]), (FRAMES, 0.0, 89.0));
        assert!(long.windows(2).all(|two| (6.0..=7.0).contains(&(two[1] - two[0]))), "{long:?}");
        assert_eq!(replayed(4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!((replayed(1), replayed(0)), (vec![0.0], vec![]));
    }

    #[test]
    fn landmarks_are_rounded_put_on_equal_scales_and_in_order() {
        let landmarks = vec![
            mark(Part::LEFT_EAR, 0.4, Some(0.2)),
            mark(Part::NOSE, 0.333_333, Some(0.987)),
            mark(Part::RIGHT_EAR, f32::MAX, None),
        ];
        let marks = &replay(&[frame(0, Some(1.5), landmarks)])[0];
        assert_eq!((marks.len(), marks[0]), (33, [0.5, 0.123, 0.99]));
        assert_eq!((marks[1], marks[7], marks[8]), ([0.0; 3], [0.6, 0.123, 0.0], [0.0, 0.123, 1.0]));
    }
}
