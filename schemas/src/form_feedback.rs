//! Results of the form coach: what an athlete learns from one window of movement.

use serde::{Deserialize, Serialize};

use crate::form_coach::Exercise;
use crate::landmark::Part;
use crate::marks;

/// Everything said about one window of one athlete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormFeedback {
    /// The athlete.
    pub user_id: String,
    /// First millisecond of the window.
    pub window_start_ms: i64,
    /// First millisecond after the window.
    pub window_end_ms: i64,
    /// Who analysed the window, such as `offline` or a model's name.
    pub analyst: String,
    /// What was exercised.
    pub exercise: Exercise,
    /// Whether there was anything to judge.
    pub phase: Phase,
    /// Form out of ten; absent while the athlete rests, is out of sight, or has only begun.
    pub grade: Option<f32>,
    /// One sentence to act on.
    pub sentence: String,
    /// Repetitions that ended in this window.
    pub repetitions: Vec<Repetition>,
    /// What each joint did in this window.
    pub joints: Vec<JointRange>,
    /// Speed of the last repetitions.
    pub tempo: Option<Tempo>,
    /// Left against right; absent while one side is out of sight.
    pub symmetry: Option<Symmetry>,
    /// What was wrong, worst first.
    pub faults: Vec<Fault>,
    /// The last frame, for drawing.
    pub skeleton: Vec<SkeletonPoint>,
    /// Frames of the window, spread evenly, for a replay; see [`FrameMark`].
    #[serde(default, with = "marks")]
    pub frames: Vec<Vec<FrameMark>>,
    /// Full repetitions of the session so far.
    pub session_repetitions: u32,
    /// Half repetitions of the session so far.
    pub session_half_repetitions: u32,
    /// Mean grade of the session so far.
    pub session_grade: Option<f32>,
    /// Last grades minus first grades of the session; below zero, form decays.
    pub session_change: Option<f32>,
    /// The session's last graded windows, oldest first, this one included.
    #[serde(default)]
    pub progress: Vec<ProgressPoint>,
}

/// One of a replayed frame's 33 landmarks, in the pose model's order: `[x, y, visibility]`. Other than in the skeleton,
/// `x` and `y` are on equal scales; a landmark that is out of sight has visibility 0.
pub type FrameMark = [f32; 3];

/// The grade of one window of a session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProgressPoint {
    /// End of the window.
    pub at: i64,
    /// Form out of ten.
    pub grade: f32,
}

/// What the athlete did in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Moving through the exercise.
    Working,
    /// In sight, not moving through it.
    Resting,
    /// Too few landmarks are visible to judge.
    OutOfSight,
}

/// One repetition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Repetition {
    /// When it left the start position.
    pub start_ms: i64,
    /// When it reached its far end.
    pub peak_ms: i64,
    /// When it was counted on the way back.
    pub end_ms: i64,
    /// Degrees of the working joint between both ends.
    pub range_deg: f32,
    /// It went far enough to count.
    pub full: bool,
}

/// What one joint did in the window, in degrees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointRange {
    /// Such as `left_elbow`.
    pub joint: String,
    /// Smallest angle.
    pub min_deg: f32,
    /// Largest angle.
    pub max_deg: f32,
}

/// Speed of repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tempo {
    /// Seconds of the working way.
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

/// Left against right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Symmetry {
    /// 1 is equal, 0 is one-sided.
    pub score: f32,
    /// The side that does more, if one does.
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
    /// The way back is a drop.
    Dropping,
}

/// One thing that was wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// How much, 0 to 1.
    pub severity: f32,
    /// With numbers.
    pub detail: String,
}

/// One point of the last frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SkeletonPoint {
    /// Which point.
    pub part: Part,
    /// Across the image.
    pub x: f32,
    /// Down the image.
    pub y: f32,
    /// How sure the pose model is, 0 to 1.
    pub visibility: f32,
}
