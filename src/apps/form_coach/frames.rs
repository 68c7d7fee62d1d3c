//! Frames as they are kept, on the raw topic and in windows: JSON whose landmarks are lists of numbers. Their names,
//! repeated 33 times a frame, would be two thirds of what is stored. Frames with names are read as well.

use bytes::Bytes;
use serde::Serialize;
use tidemill_schemas::PoseFrame;
use tidemill_topology::state::{Codec, CodecError, Json};

/// Part, x, y, z, visibility.
type Point = (usize, f32, f32, f32, Option<f32>);

/// About how many bytes a frame has.
const BYTES: usize = 1200;

/// A frame as it is written.
#[derive(Debug, Serialize)]
struct Compact<'a> {
    user_id: &'a str,
    timestamp: i64,
    exercise: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<f32>,
    landmarks: Vec<Point>,
}

impl<'a> From<&'a PoseFrame> for Compact<'a> {
    fn from(frame: &'a PoseFrame) -> Self {
        let PoseFrame { user_id, timestamp, exercise, aspect_ratio, landmarks } = frame;
        let points = landmarks.iter().map(|at| (at.part.index(), at.x, at.y, at.z, at.visibility));
        Self { user_id, timestamp: *timestamp, exercise, aspect_ratio: *aspect_ratio, landmarks: points.collect() }
    }
}

/// The codec of kept frames.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Frames;

impl Codec<PoseFrame> for Frames {
    fn encode_into(&self, frame: &PoseFrame, out: &mut Vec<u8>) -> Result<(), CodecError> {
        serde_json::to_writer(out, &Compact::from(frame))
            .map_err(|error| CodecError::Malformed { expected: "a frame", reason: error.to_string() })
    }

    fn size_hint(&self, _frame: &PoseFrame) -> usize {
        BYTES
    }

    fn decode(&self, bytes: Bytes) -> Result<PoseFrame, CodecError> {
        Json::<PoseFrame>::default().decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use tidemill_schemas::{Landmark, Part};

    use super::*;

    fn frame() -> PoseFrame {
        let point = |(part, visibility)| Landmark { part, x: 0.1, y: -0.25, z: 1e-7, visibility };
        let landmarks = [(Part::NOSE, Some(0.5)), (Part::LEFT_HIP, None)].map(point).to_vec();
        PoseFrame { user_id: "ada".into(), timestamp: 1, exercise: "squat".into(), aspect_ratio: None, landmarks }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let kept = Frames.encode(&frame()).expect("encodes").expect("is no null");
        assert_eq!(
            std::str::from_utf8(&kept).expect("text"),
            r#"{"user_id":"ada","timestamp":1,"exercise":"squat","landmarks":[[0,0.1,-0.25,1e-7,0.5],[23,0.1,-0.25,1e-7,null]]}"#
        );
        assert_eq!(Frames.decode(kept), Ok(frame()));
    }

    #[test]
    fn frames_with_names_are_read_as_well() {
        let named = serde_json::to_vec(&frame()).expect("encodes");
        assert_eq!(Frames.decode(named.into()), Ok(frame()));
    }
}
