//! Results of the form coach: feedback on one window of an athlete's movement.

use serde::{Deserialize, Serialize};

use crate::form_coach::Exercise;
use crate::landmark::Part;
use crate::{Provenance, marks};

/// The feedback on one window of one athlete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormFeedback {
    /// The athlete.
    pub user_id: String,
    /// First millisecond of the window, in epoch milliseconds.
    pub window_start_ms: i64,
    /// First millisecond after the window, in epoch milliseconds.
    pub window_end_ms: i64,
    /// The analyst of the window, such as `offline` or a model's name.
    pub analyst: String,
    /// The exercise.
    pub exercise: Exercise,
    /// The exercise's name in the frames, such as `pull_up`; empty without frames.
    #[serde(default)]
    pub exercise_name: String,
    /// What the athlete did in the window.
    pub phase: Phase,
    /// What keeps the window from being judged, if anything does. There is no grade then, and the sentence tells what to
    /// do.
    #[serde(default)]
    pub obstacle: Option<Obstacle>,
    /// Grade of the form, 0 to 10; absent if the athlete rests, is out of sight, or has only begun, if there is an
    /// obstacle, or if the exercise has no rules.
    pub grade: Option<f32>,
    /// One sentence of advice.
    pub sentence: String,
    /// Repetitions that ended in this window.
    pub repetitions: Vec<Repetition>,
    /// The range of each joint's angle in this window.
    pub joints: Vec<JointRange>,
    /// Speed of the last repetitions, if known.
    pub tempo: Option<Tempo>,
    /// Comparison of left and right; absent if one side is out of sight.
    pub symmetry: Option<Symmetry>,
    /// Faults in the window, worst first.
    pub faults: Vec<Fault>,
    /// The last frame, for drawing. Left and right are the athlete's own, in a mirrored picture, too.
    pub skeleton: Vec<SkeletonPoint>,
    /// Frames of the window, spread evenly, for a replay; see [`FrameMark`].
    #[serde(default, with = "marks")]
    pub frames: Vec<Vec<FrameMark>>,
    /// Full repetitions of the session so far.
    pub session_repetitions: u32,
    /// Half repetitions of the session so far.
    pub session_half_repetitions: u32,
    /// Mean grade of the session so far; absent without a graded window.
    pub session_grade: Option<f32>,
    /// Last grades minus first grades of the session. A value below zero means that the form gets worse.
    pub session_change: Option<f32>,
    /// The session's last graded windows, oldest first, including this one.
    #[serde(default)]
    pub progress: Vec<ProgressPoint>,
    /// Exercises that ended in this window because the athlete went on to another one. All other fields are about the
    /// exercise that came last.
    #[serde(default)]
    pub earlier: Vec<EarlierExercise>,
    /// How the grade and the sentence came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// What keeps a window from being judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The frames do not tell the picture's width divided by its height, and it cannot be derived.
    UnknownAspectRatio,
    /// The frames show two bodies in turn, of two cameras or of two persons.
    MixedFrames,
}

/// An exercise that ended in a window, with its part of the window and the end of its session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlierExercise {
    /// The exercise.
    pub exercise: Exercise,
    /// The exercise's name in the frames.
    pub exercise_name: String,
    /// Grade of the form in this part of the window, 0 to 10, if there was something to grade.
    pub grade: Option<f32>,
    /// One sentence of advice.
    pub sentence: String,
    /// Repetitions that ended in this window.
    pub repetitions: Vec<Repetition>,
    /// Full repetitions of the whole session.
    pub session_repetitions: u32,
    /// Half repetitions of the whole session.
    pub session_half_repetitions: u32,
}

/// One of the 33 landmarks of a replayed frame, in the pose model's order: `[x, y, visibility]`. Unlike in the
/// skeleton, `x` and `y` are on equal scales. A landmark that is out of sight has visibility 0.
pub type FrameMark = [f32; 3];

/// The grade of one window of a session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProgressPoint {
    /// End of the window, in epoch milliseconds.
    pub at: i64,
    /// Grade of the form, 0 to 10.
    pub grade: f32,
}

/// What the athlete did in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The athlete does the exercise.
    Working,
    /// The athlete is in sight, but does not exercise.
    Resting,
    /// Too few landmarks are visible to judge.
    OutOfSight,
}

/// One repetition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Repetition {
    /// When the repetition left the start position, in epoch milliseconds.
    pub start_ms: i64,
    /// When the repetition reached its far end, in epoch milliseconds.
    pub peak_ms: i64,
    /// When the repetition was counted, on the way back, in epoch milliseconds.
    pub end_ms: i64,
    /// Range of the working joint between both ends, in degrees.
    pub range_deg: f32,
    /// Whether the repetition went far enough to count as full.
    pub full: bool,
}

/// The range of one joint's angle in the window, in degrees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointRange {
    /// Name of the joint, such as `left_elbow`.
    pub joint: String,
    /// Smallest angle, in degrees.
    pub min_deg: f32,
    /// Largest angle, in degrees.
    pub max_deg: f32,
}

/// Speed of repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tempo {
    /// Duration of the working phase, in seconds.
    pub work_s: f32,
    /// Repetitions per minute.
    pub per_minute: f32,
}

/// A side of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The athlete's left.
    Left,
    /// The athlete's right.
    Right,
}

/// Comparison of left and right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Symmetry {
    /// 1 if both sides do the same, 0 if only one side works.
    pub score: f32,
    /// The side that does more; `None` if there is no clear difference.
    pub stronger: Option<Side>,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The repetition ended before its far end: chin below the bar, shallow squat, chest far from the floor.
    HalfRepetition,
    /// The start position was not reached again before the next repetition.
    IncompleteExtension,
    /// Hips swing or kip.
    Swinging,
    /// One side does more than the other.
    OneSided,
    /// Hips hang below, or stick out above, the line from shoulders to ankles.
    BentBody,
    /// The torso falls forward.
    LeaningForward,
    /// Knees fall inwards.
    KneesCaving,
    /// The athlete drops on the way back.
    Dropping,
}

/// A fault in the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Kind of the fault.
    pub kind: FaultKind,
    /// Severity, 0 (slight) to 1 (severe).
    pub severity: f32,
    /// A description with numbers.
    pub detail: String,
}

/// One point of the last frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SkeletonPoint {
    /// Name of the landmark.
    pub part: Part,
    /// Horizontal position in the image.
    pub x: f32,
    /// Vertical position in the image.
    pub y: f32,
    /// The pose model's confidence that the point is visible, 0 to 1.
    pub visibility: f32,
}
