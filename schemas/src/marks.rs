//! A replay's marks. JSON has them as lists of numbers; Avro, whose schema names each field only once, as records.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::FrameMark;

#[derive(Serialize, Deserialize)]
#[serde(rename = "FrameMark")]
struct Mark {
    x: f32,
    y: f32,
    visibility: f32,
}

pub(crate) fn serialize<S: Serializer>(frames: &[Vec<FrameMark>], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return frames.serialize(serializer);
    }
    let mark = |&[x, y, visibility]: &FrameMark| Mark { x, y, visibility };
    serializer.collect_seq(frames.iter().map(|marks| marks.iter().map(mark).collect::<Vec<_>>()))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<FrameMark>>, D::Error> {
    if deserializer.is_human_readable() {
        return Vec::deserialize(deserializer);
    }
    let frames: Vec<Vec<Mark>> = Vec::deserialize(deserializer)?;
    let mark = |Mark { x, y, visibility }| [x, y, visibility];
    Ok(frames.into_iter().map(|marks| marks.into_iter().map(mark).collect()).collect())
}
