//! The state that is kept of an athlete's session from window to window.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Exercise, ProgressPoint};

use super::{
    free::{Lead, Rest},
    picture::Proportions,
    repetition::Detector,
};

/// The first and the last this many grades are compared to find whether the form gets worse.
const COMPARED: usize = 3;
/// The maximum number of graded windows in the progress: about a dozen sets of five repetitions. The number is limited
/// because all of them are written again with each window.
const SHOWN: usize = 64;

/// A session of one exercise. A pure function of the windows so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SessionProgress {
    pub(super) exercise: Option<Exercise>,
    /// The exercise's name in the frames, if it has no rules; otherwise empty. Older versions stored no names.
    #[serde(default)]
    name: String,
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
    /// The joint that leads an exercise without rules.
    #[serde(default)]
    pub(super) lead: Option<Lead>,
    /// The angles at rest, before a joint leads.
    #[serde(default)]
    pub(super) rest: Option<Rest>,
    /// What is known of the picture. It stays when the exercise changes.
    #[serde(default)]
    pub(super) proportions: Proportions,
    /// The time of the last frame, also of one that was not judged.
    #[serde(default)]
    pub(super) seen_ms: Option<i64>,
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

    /// Whether this is the session of an exercise. Exercises without rules differ by their names.
    pub(super) fn is_of(&self, exercise: Exercise, name: &str) -> bool {
        self.exercise == Some(exercise) && (exercise != Exercise::Other || self.name == name)
    }

    /// Starts a new session if the exercise has changed.
    pub(super) fn enter(&mut self, exercise: Exercise, name: &str) {
        if !self.is_of(exercise, name) {
            let name = if exercise == Exercise::Other { name.to_owned() } else { String::new() };
            let (proportions, seen_ms) = (self.proportions, self.seen_ms);
            *self = Self { exercise: Some(exercise), name, proportions, seen_ms, ..Self::default() };
        }
    }

    /// Forgets a movement in progress, because the frames of its rest cannot be judged.
    pub(super) fn interrupt(&mut self) {
        self.detector = Detector::default();
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
