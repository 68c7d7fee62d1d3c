//! Inputs of the form coach: pose frames and profiles of athletes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Arrival,
    common::{FieldError, check_id, outcome},
    landmark::{LANDMARKS, Part},
    strict,
};

/// How far a visibility may be outside of 0 to 1.
const ROUNDED: f32 = 0.001;

/// One point of the body in one frame. `y` grows downwards, as in the image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Landmark {
    /// Name of the landmark.
    pub part: Part,
    /// Horizontal position in the image, 0 to 1.
    pub x: f32,
    /// Vertical position in the image, 0 to 1.
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
    /// Width of the image divided by its height, such as 1.778 for 16:9. Without the ratio, angles would be measured in a
    /// distorted picture. If it is missing, form coach derives it from limbs that turn in the picture; where that is
    /// not possible, it does not grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect_ratio: Option<f32>,
    /// Whether the pose model saw a mirrored image, as in a selfie view. Its left is then the athlete's right.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirrored: bool,
    /// The 33 landmarks. After parsing, they are in the pose model's order.
    pub landmarks: Vec<Landmark>,
}

impl PoseFrame {
    /// Checks ids, time, the set of landmarks and their coordinates. `arrival` is the receiver's clock.
    pub fn validate(&self, arrival: Arrival) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        check_id(&mut errors, "user_id", &self.user_id);
        check_id(&mut errors, "exercise", &self.exercise);
        arrival.check(&mut errors, self.timestamp);
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
            // Pose models round: 1.0000001 is 1.
            if point.visibility.is_some_and(|v| !(-ROUNDED..=1.0 + ROUNDED).contains(&v)) {
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
    /// Anything else: repetitions are counted and measured, form is not judged.
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

/// The most injuries that a profile may name.
const INJURIES_MAX: usize = 20;

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
    /// Checks that the height is between 50 and 272 cm, and that the injuries are at most 20 short texts.
    pub fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if let Some(height) = self.height_cm
            && !(50.0..=272.0).contains(&height)
        {
            errors.push(FieldError::new("height_cm", format!("is {height}"), "send centimetres, such as 178"));
        }
        if self.injuries.len() > INJURIES_MAX {
            let problem = format!("has {} entries", self.injuries.len());
            errors.push(FieldError::new("injuries", problem, format!("send at most {INJURIES_MAX}")));
        }
        for (i, injury) in self.injuries.iter().take(INJURIES_MAX).enumerate() {
            check_id(&mut errors, &format!("injuries[{i}]"), injury);
        }
        outcome(errors)
    }
}

/// Parses one pose frame and puts its landmarks in the pose model's order, or returns an error for each wrong field.
pub fn parse_pose(bytes: &[u8], arrival: impl Into<Arrival>) -> Result<PoseFrame, Vec<FieldError>> {
    let mut frame: PoseFrame = strict::parse(bytes, |object, errors| {
        strict::string(object, "user_id", errors);
        strict::string(object, "exercise", errors);
        strict::timestamp(object, errors);
        strict::optional_number(object, "aspect_ratio", "aspect_ratio", errors);
        strict::optional_flag(object, "mirrored", errors);
        match object.get("landmarks") {
            None => errors.push(FieldError::new("landmarks", "is missing", "send all 33 landmarks of the pose model")),
            Some(Value::Array(points)) => diagnose_landmarks(points, errors),
            Some(_) => errors.push(FieldError::new("landmarks", "is not an array", "send an array of 33 landmarks")),
        }
    })?;
    check_spelling(bytes, &frame)?;
    frame.validate(arrival.into())?;
    for visibility in frame.landmarks.iter_mut().filter_map(|point| point.visibility.as_mut()) {
        *visibility = visibility.clamp(0.0, 1.0);
    }
    frame.landmarks.sort_by_key(|point| point.part);
    Ok(frame)
}

const ASPECT_RATIO: strict::Field = strict::Field {
    name: "aspect_ratio",
    aliases: &["aspect", "ratio", "image_ratio", "image_aspect_ratio", "video_ratio"],
};
const MIRRORED: strict::Field =
    strict::Field { name: "mirrored", aliases: &["mirror", "is_mirrored", "mirror_image", "flipped", "is_flipped"] };
const VISIBILITY: strict::Field =
    strict::Field { name: "visibility", aliases: &["confidence", "score", "presence", "likelihood"] };

/// Refuses other names of optional fields. Landmarks are written by one program, so the first one shows their names.
fn check_spelling(bytes: &[u8], frame: &PoseFrame) -> Result<(), Vec<FieldError>> {
    let missing = [(&ASPECT_RATIO, frame.aspect_ratio.is_none()), (&MIRRORED, !frame.mirrored)];
    strict::spelling(bytes, &strict::those(missing))?;
    let mut errors = Vec::new();
    if frame.landmarks.iter().all(|point| point.visibility.is_none()) {
        let object = strict::object(bytes)?;
        let first = object.get("landmarks").and_then(|points| points.get(0)?.as_object());
        for name in first.into_iter().flat_map(|point| point.keys()) {
            strict::misspelt(name, "landmarks[0].", &[&VISIBILITY], &mut errors);
        }
    }
    outcome(errors)
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

/// Parses a profile, or returns an error for each wrong field. A field that no profile has is an error, too: a profile
/// replaces the old one, and a mistyped field would silently delete what it meant to change.
pub fn parse_profile(bytes: &[u8]) -> Result<UserProfile, Vec<FieldError>> {
    const FIELDS: [&str; 3] = ["height_cm", "injuries", "level"];
    let mut errors = Vec::new();
    let object = strict::object(bytes)?;
    for name in object.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        let fix = format!("a profile has {}", FIELDS.join(", "));
        errors.push(FieldError::new(name, "is no field of a profile", fix));
    }
    let mut profile = UserProfile::default();
    strict::optional_number(&object, "height_cm", "height_cm", &mut errors);
    profile.height_cm = object.get("height_cm").and_then(Value::as_f64).map(|height| height as f32);
    match object.get("injuries") {
        None => {}
        Some(Value::Array(injuries)) => {
            for (i, injury) in injuries.iter().enumerate() {
                match injury.as_str() {
                    Some(injury) => profile.injuries.push(injury.to_owned()),
                    None if errors.len() < INJURIES_MAX => {
                        errors.push(FieldError::new(format!("injuries[{i}]"), "is not a string", "send plain words"));
                    }
                    None => {}
                }
            }
        }
        Some(_) => {
            errors.push(FieldError::new("injuries", "is not an array", "send an array, such as [\"left shoulder\"]"));
        }
    }
    match object.get("level").map(Level::deserialize) {
        None => {}
        Some(Ok(level)) => profile.level = level,
        Some(Err(_)) => {
            errors.push(FieldError::new("level", "is unknown", "send beginner, intermediate or advanced"));
        }
    }
    errors.extend(profile.validate().err().into_iter().flatten());
    outcome(errors).map(|()| profile)
}
