//! Computes a window's feedback and the session's state after the window.

use tidemill_schemas::{Exercise, FormFeedback, Phase, Repetition, SkeletonPoint, Tempo};

use super::body::Body;
use super::coach::{grade, sentence};
use super::faults::{Evidence, faults, is_full};
use super::motion::{chin_clearance, joint_ranges, symmetry};
use super::progress::{SessionProgress, round1};
use super::repetition::{Drive, Turn};
use super::replay::replay;
use super::window::PoseWindow;

/// The analyst's name in this feedback.
const ANALYST: &str = "offline";
/// If the signal changes less than this over a window, the athlete is resting.
const WORKING: f64 = 0.3;

/// The outcome of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The feedback to the athlete.
    pub feedback: FormFeedback,
    /// The session's state after the window.
    pub progress: SessionProgress,
}

impl Assessment {
    /// Grades a window by geometry and rules. The same window always gives the same result.
    pub fn of(window: &PoseWindow) -> Self {
        let mut frames: Vec<_> = window.frames.iter().collect();
        frames.sort_by_key(|frame| frame.timestamp);
        frames.dedup_by_key(|frame| frame.timestamp);
        let mut progress = window.progress.clone();
        let known = window.progress.exercise.unwrap_or(Exercise::Other);
        let exercise = frames.last().map_or(known, |frame| Exercise::from_name(&frame.exercise));
        progress.enter(exercise);
        // Frames of another exercise in the same window belong to the session that ended.
        frames.retain(|frame| Exercise::from_name(&frame.exercise) == exercise);
        let bodies: Vec<Body> = frames.iter().map(|frame| Body::of(frame)).collect();

        let profile = window.profile.as_ref();
        let mut feedback = FormFeedback {
            user_id: window.user_id.clone(),
            window_start_ms: window.start_ms,
            window_end_ms: window.end_ms,
            analyst: ANALYST.to_owned(),
            exercise,
            phase: Phase::OutOfSight,
            grade: None,
            sentence: String::new(),
            repetitions: Vec::new(),
            joints: joint_ranges(&bodies),
            tempo: None,
            symmetry: None,
            faults: Vec::new(),
            skeleton: frames.last().map_or_else(Vec::new, |frame| {
                let point = |mark: &tidemill_schemas::Landmark| SkeletonPoint {
                    part: mark.part,
                    x: mark.x,
                    y: mark.y,
                    visibility: mark.visibility.unwrap_or(1.0),
                };
                frame.landmarks.iter().map(point).collect()
            }),
            frames: replay(&frames),
            session_repetitions: 0,
            session_half_repetitions: 0,
            session_grade: None,
            session_change: None,
            progress: Vec::new(),
        };
        match Drive::of(exercise) {
            None => {
                feedback.phase = if feedback.joints.is_empty() { Phase::OutOfSight } else { Phase::Resting };
                let name = frames.last().map_or("this exercise", |frame| frame.exercise.as_str());
                feedback.sentence =
                    format!("Only angles: {name} has no rules yet. Pull-ups, push-ups and squats have rules.");
            }
            Some(drive) => {
                let (signals, turns) = follow(&mut progress, &bodies, exercise, drive, window);
                feedback.repetitions = turns.iter().map(|(_, repetition)| *repetition).collect();
                feedback.phase = phase(&signals, frames.len(), !turns.is_empty());
                let mut found = Vec::new();
                if feedback.phase == Phase::Working {
                    feedback.symmetry = symmetry(&bodies, exercise, drive);
                    let evidence = Evidence {
                        exercise,
                        drive,
                        bodies: &bodies,
                        turns: &turns,
                        symmetry: feedback.symmetry,
                        profile,
                    };
                    found = faults(&evidence);
                    feedback.faults = found.iter().map(|found| found.fault.clone()).collect();
                    feedback.tempo = tempo(&turns, window.progress.last_peak_ms);
                    // Without a complete repetition or a fault there is nothing to grade yet.
                    if !turns.is_empty() || !found.is_empty() {
                        let graded = grade(&found, feedback.symmetry, exercise, profile);
                        feedback.grade = Some(graded);
                        progress.grade(window.end_ms, graded);
                    }
                }
                feedback.sentence = match feedback.phase {
                    Phase::Working => sentence(&found, exercise, &feedback.repetitions, feedback.tempo, profile),
                    Phase::Resting => "Ready when you are.".into(),
                    Phase::OutOfSight => "Step back until your whole body is in the picture.".into(),
                };
            }
        }
        feedback.session_repetitions = progress.full;
        feedback.session_half_repetitions = progress.half;
        feedback.session_grade = progress.mean_grade();
        feedback.session_change = progress.change();
        feedback.progress = progress.points();
        Self { feedback, progress }
    }
}

/// Feeds the frames to the repetition detector.
fn follow(
    progress: &mut SessionProgress,
    bodies: &[Body],
    exercise: Exercise,
    drive: Drive,
    window: &PoseWindow,
) -> (Vec<f64>, Vec<(Turn, Repetition)>) {
    let level = window.profile.as_ref().map(|profile| profile.level).unwrap_or_default();
    let mut signals = Vec::with_capacity(bodies.len());
    let mut turns = Vec::new();
    for body in bodies {
        let Some(signal) = drive.signal(body) else { continue };
        signals.push(signal);
        let cleared = if exercise == Exercise::PullUp { chin_clearance(body) } else { None };
        let Some(turn) = progress.detector.step(body.timestamp, signal, cleared) else { continue };
        let full = is_full(exercise, &turn, level);
        if full {
            progress.full += 1;
        } else {
            progress.half += 1;
        }
        progress.last_peak_ms = Some(turn.peak_ms);
        let repetition = Repetition {
            start_ms: turn.start_ms,
            peak_ms: turn.peak_ms,
            end_ms: turn.end_ms,
            range_deg: drive.degrees(turn.peak - turn.valley).round() as f32,
            full,
        };
        turns.push((turn, repetition));
    }
    (signals, turns)
}

fn phase(signals: &[f64], frames: usize, repeated: bool) -> Phase {
    if signals.len() * 2 < frames || signals.is_empty() {
        return Phase::OutOfSight;
    }
    let highest = signals.iter().copied().fold(f64::MIN, f64::max);
    let lowest = signals.iter().copied().fold(f64::MAX, f64::min);
    if repeated || highest - lowest >= WORKING { Phase::Working } else { Phase::Resting }
}

/// The duration of the way to the far end, and the number of repetitions per minute.
fn tempo(turns: &[(Turn, Repetition)], last_peak_ms: Option<i64>) -> Option<Tempo> {
    let (last, _) = turns.last()?;
    let work_s = ((last.peak_ms - last.start_ms).max(100) as f32) / 1000.0;
    let before = turns.len().checked_sub(2).map(|i| turns[i].0.peak_ms).or(last_peak_ms);
    let period_s = before.map_or(2.0 * work_s, |before| ((last.peak_ms - before).max(100) as f32) / 1000.0);
    Some(Tempo { work_s: round1(work_s), per_minute: round1(60.0 / period_s) })
}
