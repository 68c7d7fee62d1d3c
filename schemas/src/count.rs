//! Counts are unsigned in this program, but serialized as signed numbers, because Avro has only signed ones.

use serde::{Deserialize as _, Deserializer, Serializer, de, ser};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like this")]
pub(crate) fn serialize<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(i64::try_from(*count).map_err(ser::Error::custom)?)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    u64::try_from(i64::deserialize(deserializer)?).map_err(de::Error::custom)
}
