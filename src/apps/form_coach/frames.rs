//! The two formats of stored frames.
//!
//! Where other programs may read frames: JSON with landmarks as lists of numbers. Field names, repeated 33 times per
//! frame, would take two thirds of the space. The decoder also reads frames with field names.
//!
//! Where only the application reads frames: a binary format, which takes half the space of the JSON and is much faster
//! to write and read.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidemill::state::{Codec, CodecError, Json};
use tidemill_schemas::{Landmark, Part, PoseFrame};

use super::topics::POSE;
use crate::apps::{Format, Wire};

/// Part, x, y, z, visibility.
type Point = (usize, f32, f32, f32, Option<f32>);

/// A frame in the JSON format.
#[derive(Debug, Serialize)]
struct Compact<'a> {
    user_id: &'a str,
    timestamp: i64,
    exercise: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<f32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mirrored: bool,
    landmarks: Vec<Point>,
}

/// A frame in the binary format. The fields are written in this order and without names. A change of the fields needs a
/// new value of [`FORMAT`], and the fields of before stay readable as [`OlderPacked`] does it.
#[derive(Debug, Serialize, Deserialize)]
struct Packed<'a> {
    user_id: &'a str,
    timestamp: i64,
    exercise: &'a str,
    aspect_ratio: Option<f32>,
    mirrored: bool,
    landmarks: Vec<Point>,
}

/// The fields of frames that begin with [`OLDER_FORMAT`].
#[derive(Debug, Serialize, Deserialize)]
struct OlderPacked<'a> {
    user_id: &'a str,
    timestamp: i64,
    exercise: &'a str,
    aspect_ratio: Option<f32>,
    landmarks: Vec<Point>,
}

impl<'a> From<OlderPacked<'a>> for Packed<'a> {
    fn from(older: OlderPacked<'a>) -> Self {
        let OlderPacked { user_id, timestamp, exercise, aspect_ratio, landmarks } = older;
        Self { user_id, timestamp, exercise, aspect_ratio, mirrored: false, landmarks }
    }
}

/// First byte of a packed frame. The first byte of JSON is a brace.
const FORMAT: u8 = 2;
/// First byte of a packed frame that does not tell whether the picture is mirrored. Such frames are read, not written.
const OLDER_FORMAT: u8 = 1;

/// The codec of stored frames. It writes one format and reads both formats.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frames {
    /// Writes JSON, which other programs can read.
    Json,
    /// Writes the binary format, which only the application reads.
    Packed,
}

impl Frames {
    /// Whether a value is a packed frame.
    pub(super) fn is_packed(value: &[u8]) -> bool {
        matches!(value.first(), Some(&(FORMAT | OLDER_FORMAT)))
    }

    /// The codec of the topic with raw frames.
    pub(super) fn raw(format: &Format) -> Wire<PoseFrame, Self> {
        format.codec_or(POSE, if matches!(format, Format::Private) { Self::Packed } else { Self::Json })
    }
}

impl Codec<PoseFrame> for Frames {
    fn encode_into(&self, frame: &PoseFrame, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let PoseFrame { user_id, timestamp, exercise, aspect_ratio, mirrored, landmarks } = frame;
        let (timestamp, aspect_ratio, mirrored) = (*timestamp, *aspect_ratio, *mirrored);
        let landmarks = landmarks.iter().map(|at| (at.part.index(), at.x, at.y, at.z, at.visibility)).collect();
        match self {
            Self::Json => {
                let frame = Compact { user_id, timestamp, exercise, aspect_ratio, mirrored, landmarks };
                serde_json::to_writer(out, &frame).map_err(|error| malformed(&error))
            }
            Self::Packed => {
                out.push(FORMAT);
                let frame = Packed { user_id, timestamp, exercise, aspect_ratio, mirrored, landmarks };
                postcard::to_io(&frame, out).map(drop).map_err(|error| malformed(&error))
            }
        }
    }

    fn size_hint(&self, _frame: &PoseFrame) -> usize {
        match self {
            Self::Json => 1200,
            Self::Packed => 700,
        }
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        // Both variants have the same name, because each variant reads both formats.
        Some("pose-frame".into())
    }

    fn decode(&self, bytes: Bytes) -> Result<PoseFrame, CodecError> {
        let frame: Packed<'_> = match &*bytes {
            [FORMAT, packed @ ..] => postcard::from_bytes(packed).map_err(|error| malformed(&error))?,
            [OLDER_FORMAT, packed @ ..] => {
                postcard::from_bytes::<OlderPacked<'_>>(packed).map_err(|error| malformed(&error))?.into()
            }
            _ => return Json::<PoseFrame>::default().decode(bytes),
        };
        let landmark = |(part, x, y, z, visibility)| {
            let part = Part::from_index(part).ok_or_else(|| malformed(&format!("there is no landmark {part}")))?;
            Ok(Landmark { part, x, y, z, visibility })
        };
        let Packed { user_id, timestamp, exercise, aspect_ratio, mirrored, landmarks } = frame;
        let landmarks = landmarks.into_iter().map(landmark).collect::<Result<_, CodecError>>()?;
        let (user_id, exercise) = (user_id.to_owned(), exercise.to_owned());
        Ok(PoseFrame { user_id, timestamp, exercise, aspect_ratio, mirrored, landmarks })
    }
}

fn malformed(error: &dyn std::fmt::Display) -> CodecError {
    CodecError::Malformed { expected: "a frame", reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(aspect_ratio: Option<f32>) -> PoseFrame {
        let point = |(part, visibility)| Landmark { part, x: 0.1, y: -0.25, z: 1e-7, visibility };
        let landmarks = [(Part::NOSE, Some(0.5)), (Part::LEFT_HIP, None)].map(point).to_vec();
        let (user_id, exercise, mirrored) = ("ada".into(), "squat".into(), aspect_ratio.is_some());
        PoseFrame { user_id, timestamp: 1, exercise, aspect_ratio, mirrored, landmarks }
    }

    fn kept(codec: Frames, frame: &PoseFrame) -> Bytes {
        codec.encode(frame).expect("encodes").expect("is no null")
    }

    #[test]
    fn what_is_kept_either_way_is_read_either_way() {
        for (frame, write) in [frame(None), frame(Some(1.5))].iter().zip([Frames::Json, Frames::Packed]) {
            for read in [Frames::Json, Frames::Packed] {
                assert_eq!(read.decode(kept(write, frame)), Ok(frame.clone()), "{write:?}, {read:?}");
            }
        }
    }

    #[test]
    fn packed_frames_of_the_format_before_are_read() {
        let landmarks = vec![(0, 0.1, -0.25, 1e-7, Some(0.5)), (23, 0.1, -0.25, 1e-7, None)];
        let (user_id, exercise, aspect_ratio) = ("ada", "squat", Some(1.5));
        let older = OlderPacked { user_id, timestamp: 1, exercise, aspect_ratio, landmarks };
        let bytes = postcard::to_io(&older, vec![OLDER_FORMAT]).expect("encodes");
        assert!(Frames::is_packed(&bytes) && Frames::is_packed(&kept(Frames::Packed, &frame(None))));
        let expected = PoseFrame { mirrored: false, ..frame(Some(1.5)) };
        assert_eq!(Frames::Packed.decode(bytes.into()), Ok(expected));
    }

    #[test]
    fn others_find_lists_of_numbers_in_json() {
        assert_eq!(
            std::str::from_utf8(&kept(Frames::Json, &frame(None))).expect("text"),
            r#"{"user_id":"ada","timestamp":1,"exercise":"squat","landmarks":[[0,0.1,-0.25,1e-7,0.5],[23,0.1,-0.25,1e-7,null]]}"#
        );
    }

    #[test]
    fn frames_with_names_are_read_as_well() {
        let named = serde_json::to_vec(&frame(None)).expect("encodes");
        assert_eq!(Frames::Json.decode(named.into()), Ok(frame(None)));
    }

    #[test]
    fn cut_frames_are_errors() {
        for codec in [Frames::Json, Frames::Packed] {
            let kept = kept(codec, &frame(Some(1.5)));
            for cut in 0..kept.len() {
                assert!(codec.decode(kept.slice(..cut)).is_err(), "{cut} of {}", kept.len());
            }
        }
    }

    #[test]
    fn a_landmark_that_does_not_exist_is_an_error() {
        let landmarks = vec![(33, 0.0, 0.0, 0.0, None)];
        let (user_id, exercise) = ("ada", "squat");
        let packed = Packed { user_id, timestamp: 1, exercise, aspect_ratio: None, mirrored: false, landmarks };
        let bytes = postcard::to_io(&packed, vec![FORMAT]).expect("encodes");
        assert!(Frames::Packed.decode(bytes.into()).is_err_and(|error| error.to_string().contains("landmark 33")));
    }
}
