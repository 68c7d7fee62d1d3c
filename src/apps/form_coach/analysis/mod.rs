//! The analysis of one window of pose frames, without network, clock or randomness.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Exercise, FormFeedback, Phase, PoseFrame, SkeletonPoint, UserProfile};

use crate::apps::{Analyst, Answer};

/// Frames of one athlete in `[start_ms, end_ms)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoseWindow {
    /// The athlete.
    pub user_id: String,
    /// First millisecond of the window.
    pub start_ms: i64,
    /// First millisecond after the window.
    pub end_ms: i64,
    /// The frames, in any order.
    pub frames: Vec<PoseFrame>,
    /// What is known about the athlete.
    pub profile: Option<UserProfile>,
    /// The athlete's state after the window before this one.
    pub progress: AthleteProgress,
}

/// What an athlete did before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AthleteProgress {
    /// Windows so far.
    pub windows: u64,
}

impl AthleteProgress {
    /// The state after a window.
    #[must_use]
    pub fn after(&self, _window: &PoseWindow, _feedback: &FormFeedback) -> Self {
        Self { windows: self.windows + 1 }
    }
}

/// The last frame, and nothing that needs an opinion.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineAnalyst;

impl Analyst<PoseWindow, FormFeedback> for OfflineAnalyst {
    fn name(&self) -> &'static str {
        "offline"
    }

    fn analyze<'a>(&'a self, window: &'a PoseWindow) -> Answer<'a, FormFeedback> {
        Box::pin(async { Ok(look(window)) })
    }
}

fn look(window: &PoseWindow) -> FormFeedback {
    let last = window.frames.iter().max_by_key(|frame| frame.timestamp);
    let points = last.map(|frame| frame.landmarks.iter()).into_iter().flatten();
    let skeleton = points.map(|point| SkeletonPoint {
        part: point.part,
        x: point.x,
        y: point.y,
        visibility: point.visibility.unwrap_or(1.0),
    });
    FormFeedback {
        user_id: window.user_id.clone(),
        window_start_ms: window.start_ms,
        window_end_ms: window.end_ms,
        analyst: "offline".to_owned(),
        exercise: last.map_or(Exercise::Other, |frame| Exercise::from_name(&frame.exercise)),
        phase: Phase::Resting,
        grade: None,
        sentence: format!("{} frames.", window.frames.len()),
        repetitions: Vec::new(),
        joints: Vec::new(),
        tempo: None,
        symmetry: None,
        faults: Vec::new(),
        skeleton: skeleton.collect(),
        session_repetitions: 0,
        session_half_repetitions: 0,
        session_grade: None,
        session_change: None,
    }
}
