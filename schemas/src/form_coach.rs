//! Inputs of the form coach: pose frames and profiles of athletes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::common::{FieldError, check_id, check_timestamp, outcome};
use crate::landmark::{LANDMARKS, Part};
use crate::strict;

/// One point of the body in one frame. `y` grows downwards, as in the image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Landmark {
    /// Name of the landmark.
    pub part: Part,
    /// Horizontal position in the image.
    pub x: f32,
    /// Vertical position in the image.
    pub y: f32,
    /// Distance from the camera, on the scale of `x`.
    pub z: f32,
    /// The pose model's confidence, 0 to 1, that the point is visible; a missing value counts as visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<f32>,
}

/// The body at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoseFrame {
    /// The athlete; the key of the topic.
    pub user_id: String,
    /// Event time in epoch milliseconds.
    pub timestamp: i64,
    /// Name of the exercise, such as `pull_up`.
    pub exercise: String,
    /// Width of the image divided by its height. Needed if `x` and `y` are normalised to 0..1: without the ratio,
    /// angles would be measured in a distorted picture. A missing value means equal scales.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect_ratio: Option<f32>,
    /// The 33 landmarks. After parsing, they are in the pose model's order.
    pub landmarks: Vec<Landmark>,
}

impl PoseFrame {
    /// Checks ids, time, the set of landmarks and their coordinates. `now_ms` is the receiver's clock in epoch
    /// milliseconds.
    pub fn validate(&self, now_ms: i64) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        check_id(&mut errors, "user_id", &self.user_id);
        check_id(&mut errors, "exercise", &self.exercise);
        check_timestamp(&mut errors, self.timestamp, now_ms);
        if self.aspect_ratio.is_some_and(|ratio| !(0.1..=10.0).contains(&ratio)) {
            errors.push(FieldError::new("aspect_ratio", "is not a ratio", "send the image's width / height"));
        }
        self.check_parts(&mut errors);
        for (i, point) in self.landmarks.iter().enumerate() {
            for (axis, value) in [("x", point.x), ("y", point.y), ("z", point.z)] {
                if !value.is_finite() {
                    let field = format!("landmarks[{i}].{axis}");
                    errors.push(FieldError::new(field, "is not finite", "skip frames whose coordinates are NaN"));
                }
            }
            if point.visibility.is_some_and(|v| !(0.0..=1.0).contains(&v)) {
                let field = format!("landmarks[{i}].visibility");
                errors.push(FieldError::new(field, "is outside 0..1", "send the pose model's visibility unchanged"));
            }
        }
        outcome(errors)
    }

    fn check_parts(&self, errors: &mut Vec<FieldError>) {
        if self.landmarks.len() != LANDMARKS.len() {
            let problem = format!("has {} points", self.landmarks.len());
            errors.push(FieldError::new("landmarks", problem, "send all 33 landmarks of the pose model"));
            return;
        }
        let mut seen = [false; LANDMARKS.len()];
        for (i, point) in self.landmarks.iter().enumerate() {
            if std::mem::replace(&mut seen[point.part.index()], true) {
                let problem = format!("repeats {}", point.part);
                errors.push(FieldError::new(format!("landmarks[{i}].part"), problem, "send each landmark once"));
            }
        }
    }
}

/// The exercises whose repetitions and faults the form coach can judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exercise {
    /// Hang, chin over the bar, hang.
    PullUp,
    /// Straight arms, chest to the floor, straight arms.
    PushUp,
    /// Stand, hips to knee height, stand.
    Squat,
    /// Anything else: angles are shown, repetitions are not judged.
    Other,
}

impl Exercise {
    /// Accepts common spellings: `pull_up`, `pull-up`, `Pullups`. Every other name is [`Exercise::Other`].
    pub fn from_name(name: &str) -> Self {
        let letters: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        match letters.trim_end_matches('s') {
            "pullup" | "chinup" => Self::PullUp,
            "pushup" | "pressup" => Self::PushUp,
            "squat" | "airsquat" => Self::Squat,
            _ => Self::Other,
        }
    }
}

/// An athlete's experience. It decides how strictly faults are graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// In the first months of training.
    Beginner,
    /// Training regularly.
    #[default]
    Intermediate,
    /// With years of training.
    Advanced,
}

/// Facts about an athlete that feedback takes into account.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UserProfile {
    /// Height in centimetres. With the height, feedback can state distances in centimetres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height_cm: Option<f32>,
    /// Injuries in plain words, such as `left shoulder`.
    #[serde(default)]
    pub injuries: Vec<String>,
    /// The athlete's experience.
    #[serde(default)]
    pub level: Level,
}

impl UserProfile {
    /// Checks that the height is between 50 and 272 cm and that the injuries are short texts.
    pub fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if let Some(height) = self.height_cm
            && !(50.0..=272.0).contains(&height)
        {
            errors.push(FieldError::new("height_cm", format!("is {height}"), "send centimetres, such as 178"));
        }
        for (i, injury) in self.injuries.iter().enumerate() {
            check_id(&mut errors, &format!("injuries[{i}]"), injury);
        }
        outcome(errors)
    }
}

/// Parses one pose frame and puts its landmarks in the pose model's order, or returns an error for each wrong field.
pub fn parse_pose(bytes: &[u8], now_ms: i64) -> Result<PoseFrame, Vec<FieldError>> {
    let mut frame: PoseFrame = strict::parse(bytes, |object, errors| {
        strict::string(object, "user_id", errors);
        strict::string(object, "exercise", errors);
        strict::timestamp(object, errors);
        strict::optional_number(object, "aspect_ratio", "aspect_ratio", errors);
        match object.get("landmarks") {
            None => errors.push(FieldError::new("landmarks", "is missing", "send all 33 landmarks of the pose model")),
            Some(Value::Array(points)) => diagnose_landmarks(points, errors),
            Some(_) => errors.push(FieldError::new("landmarks", "is not an array", "send an array of 33 landmarks")),
        }
    })?;
    frame.validate(now_ms)?;
    frame.landmarks.sort_by_key(|point| point.part);
    Ok(frame)
}

fn diagnose_landmarks(points: &[Value], errors: &mut Vec<FieldError>) {
    for (i, point) in points.iter().enumerate() {
        let Value::Object(point) = point else {
            let field = format!("landmarks[{i}]");
            errors.push(FieldError::new(field, "is not an object", "send {\"part\", \"x\", \"y\", \"z\"}"));
            continue;
        };
        for axis in ["x", "y", "z"] {
            strict::number(point, axis, &format!("landmarks[{i}].{axis}"), errors);
        }
        strict::optional_number(point, "visibility", &format!("landmarks[{i}].visibility"), errors);
        let known = match point.get("part") {
            Some(Value::String(name)) => Part::from_name(name).is_some(),
            Some(Value::Number(n)) => n.as_u64().is_some_and(|index| index < LANDMARKS.len() as u64),
            _ => false,
        };
        if !known {
            let problem = point.get("part").map_or_else(|| "is missing".into(), |part| format!("is {part}"));
            let fix = "send a name such as \"left_elbow\" or an index from 0 to 32";
            errors.push(FieldError::new(format!("landmarks[{i}].part"), problem, fix));
        }
    }
}

/// Parses an athlete's profile, or returns an error for each wrong field.
pub fn parse_profile(bytes: &[u8]) -> Result<UserProfile, Vec<FieldError>> {
    let profile: UserProfile = strict::parse(bytes, |object, errors| {
        strict::optional_number(object, "height_cm", "height_cm", errors);
        if !matches!(object.get("injuries"), None | Some(Value::Array(_))) {
            errors.push(FieldError::new("injuries", "is not an array", "send an array, such as [\"left shoulder\"]"));
        }
        let level = object.get("level").and_then(Value::as_str);
        if object.contains_key("level") && !matches!(level, Some("beginner" | "intermediate" | "advanced")) {
            errors.push(FieldError::new("level", "is unknown", "send beginner, intermediate or advanced"));
        }
    })?;
    profile.validate()?;
    Ok(profile)
}
