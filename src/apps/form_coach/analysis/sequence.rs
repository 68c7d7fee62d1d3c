//! The frames of a window in order of time, with the athlete's own left and right.

use std::cmp::Ordering;

use tidemill_schemas::PoseFrame;

/// The frames, ordered by time. Frames of the same time are ordered by their content, so that the order of arrival does
/// not matter. In frames of mirrored pictures, left and right change places.
pub(super) fn in_order(frames: &[PoseFrame]) -> Vec<PoseFrame> {
    let mut frames: Vec<PoseFrame> = frames.iter().map(own).collect();
    frames.sort_by(|a, b| a.timestamp.cmp(&b.timestamp).then_with(|| by_content(a, b)));
    frames
}

fn own(frame: &PoseFrame) -> PoseFrame {
    let mut frame = frame.clone();
    if frame.mirrored {
        frame.landmarks.iter_mut().for_each(|mark| mark.part = mark.part.other_side());
        frame.landmarks.sort_by_key(|mark| mark.part);
    }
    frame
}

fn by_content(a: &PoseFrame, b: &PoseFrame) -> Ordering {
    let ratio = |frame: &PoseFrame| frame.aspect_ratio.unwrap_or(0.0);
    let points = || a.landmarks.iter().zip(&b.landmarks);
    a.exercise
        .cmp(&b.exercise)
        .then_with(|| a.mirrored.cmp(&b.mirrored))
        .then_with(|| ratio(a).total_cmp(&ratio(b)))
        .then_with(|| a.landmarks.len().cmp(&b.landmarks.len()))
        .then_with(|| {
            let differences = points().map(|(a, b)| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
            differences.fold(Ordering::Equal, Ordering::then)
        })
}
