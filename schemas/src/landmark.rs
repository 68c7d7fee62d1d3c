//! The 33 body landmarks of the `MediaPipe` pose model, by name and by index.

use std::fmt;

use serde::de::{self, DeserializeSeed, EnumAccess, VariantAccess as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names of the landmarks in the pose model's order.
pub const LANDMARKS: [&str; 33] = [
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
];

/// A landmark's identity, always below 33. Serialized as the name; deserialized from the name or the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part(u8);

macro_rules! parts {
    ($($name:ident = $index:literal),* $(,)?) => {
        $(#[doc = concat!("Landmark ", stringify!($index), ".")] pub const $name: Self = Self($index);)*
    };
}

impl Part {
    parts! {
        NOSE = 0, LEFT_EAR = 7, RIGHT_EAR = 8, MOUTH_LEFT = 9, MOUTH_RIGHT = 10,
        LEFT_SHOULDER = 11, RIGHT_SHOULDER = 12, LEFT_ELBOW = 13, RIGHT_ELBOW = 14,
        LEFT_WRIST = 15, RIGHT_WRIST = 16, LEFT_HIP = 23, RIGHT_HIP = 24,
        LEFT_KNEE = 25, RIGHT_KNEE = 26, LEFT_ANKLE = 27, RIGHT_ANKLE = 28,
    }

    /// The landmark at an index of the pose model's output; `None` if the index is above 32.
    pub fn from_index(index: usize) -> Option<Self> {
        (index < LANDMARKS.len()).then_some(Self(index as u8))
    }

    /// The landmark with a name; case, spaces and hyphens do not matter. `None` if the name is unknown.
    pub fn from_name(name: &str) -> Option<Self> {
        let exact = LANDMARKS.iter().position(|known| *known == name);
        let index = exact.or_else(|| {
            let name = name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
            LANDMARKS.iter().position(|known| *known == name)
        })?;
        Self::from_index(index)
    }

    /// The landmark's index in the pose model's output.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The same landmark on the other side of the body, such as `right_elbow` for `left_elbow`. The nose is its own.
    pub fn other_side(self) -> Self {
        Self(match self.0 {
            0 => 0,
            // Three points of each eye.
            eye @ 1..=3 => eye + 3,
            eye @ 4..=6 => eye - 3,
            // All other landmarks come in pairs, left before right.
            left if left % 2 == 1 => left + 1,
            right => right - 1,
        })
    }

    /// The landmark's name, such as `left_elbow`.
    pub fn name(self) -> &'static str {
        LANDMARKS[self.index()]
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.name())
        } else {
            // An enum of 33 symbols: a byte instead of a name.
            serializer.serialize_unit_variant(ENUM, u32::from(self.0), self.name())
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(PartVisitor)
        } else {
            deserializer.deserialize_enum(ENUM, &LANDMARKS, PartVisitor)
        }
    }
}

/// The name of the enum in binary formats.
const ENUM: &str = "Part";

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a landmark name such as \"left_elbow\" or an index from 0 to 32")
    }

    fn visit_u64<E: de::Error>(self, index: u64) -> Result<Part, E> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Part::from_index(index).ok_or_else(|| E::custom(format!("landmark index {index} is above 32")))
    }

    fn visit_i64<E: de::Error>(self, index: i64) -> Result<Part, E> {
        self.visit_u64(u64::try_from(index).unwrap_or(u64::MAX))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Part, E> {
        Part::from_name(name).ok_or_else(|| E::custom(format!("no landmark is called \"{name}\"")))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, symbol: A) -> Result<Part, A::Error> {
        let (part, rest) = symbol.variant_seed(self)?;
        rest.unit_variant()?;
        Ok(part)
    }
}

/// Reads the name of an enum symbol as a landmark.
impl<'de> DeserializeSeed<'de> for PartVisitor {
    type Value = Part;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_side_of_a_landmark_has_the_other_word_in_its_name() {
        for index in 0..LANDMARKS.len() {
            let part = Part::from_index(index).expect("there are 33");
            let other = part.other_side();
            let swapped = match part.name() {
                name if name.contains("left") => name.replace("left", "right"),
                name => name.replace("right", "left"),
            };
            assert_eq!((other.name(), other.other_side()), (swapped.as_str(), part));
        }
    }
}
