//! The state that is kept of an athlete's session from window to window.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Exercise, ProgressPoint};

use super::repetition::Detector;

/// The first and the last this many grades are compared to find whether the form gets worse.
const COMPARED: usize = 3;
/// The maximum number of graded windows in the progress: about a dozen sets of five repetitions. The number is limited
/// because all of them are written again with each window.
const SHOWN: usize = 64;

/// A session of one exercise. A pure function of the windows so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SessionProgress {
    pub(super) exercise: Option<Exercise>,
    pub(super) detector: Detector,
    pub(super) full: u32,
    pub(super) half: u32,
    pub(super) last_peak_ms: Option<i64>,
    grades: u32,
    grade_sum: f32,
    first: Vec<f32>,
    last: Vec<f32>,
    /// Older versions stored no points.
    #[serde(default)]
    points: Vec<ProgressPoint>,
}

impl SessionProgress {
    /// Full repetitions so far.
    pub fn repetitions(&self) -> u32 {
        self.full
    }

    /// Half repetitions so far.
    pub fn half_repetitions(&self) -> u32 {
        self.half
    }

    /// Starts a new session if the exercise has changed.
    pub(super) fn enter(&mut self, exercise: Exercise) {
        if self.exercise != Some(exercise) {
            *self = Self { exercise: Some(exercise), ..Self::default() };
        }
    }

    pub(super) fn grade(&mut self, at: i64, grade: f32) {
        self.grades += 1;
        self.grade_sum += grade;
        if self.first.len() < COMPARED {
            self.first.push(grade);
        }
        if self.last.len() == COMPARED {
            self.last.remove(0);
        }
        self.last.push(grade);
        if self.points.len() == SHOWN {
            self.points.remove(0);
        }
        self.points.push(ProgressPoint { at, grade });
    }

    /// The latest graded windows.
    pub(super) fn points(&self) -> Vec<ProgressPoint> {
        self.points.clone()
    }

    /// Mean grade of the session.
    pub(super) fn mean_grade(&self) -> Option<f32> {
        (self.grades > 0).then(|| round1(self.grade_sum / self.grades as f32))
    }

    /// The mean of the last grades minus the mean of the first grades. `None` while both include the same windows.
    pub(super) fn change(&self) -> Option<f32> {
        let mean = |grades: &[f32]| grades.iter().sum::<f32>() / grades.len() as f32;
        (self.grades as usize >= 2 * COMPARED).then(|| round1(mean(&self.last) - mean(&self.first)))
    }
}

pub(super) fn round1(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}
