//! Judges the frames of one exercise in a window.

use tidemill_schemas::{
    EarlierExercise, Exercise, Fault, JointRange, Phase, PoseFrame, Repetition, Symmetry, Tempo, UserProfile,
};

use super::body::Body;
use super::coach::{grade, sentence};
use super::faults::{Evidence, faults, is_full};
use super::free::{self, Lead, Rest};
use super::motion::{chin_clearance, joint_ranges, symmetry};
use super::progress::{SessionProgress, round1};
use super::repetition::{Drive, Turn};
use super::sight::Sight;
use super::stance::Stance;

/// If the signal changes less than this over a window, the athlete is resting.
const WORKING: f64 = 0.3;

/// The frames of one exercise in a window.
pub(super) struct Section<'a> {
    pub(super) exercise: Exercise,
    /// The exercise's name in the frames.
    pub(super) name: &'a str,
    /// The frames, in order of time, with the picture's ratio.
    pub(super) frames: &'a [PoseFrame],
    /// Whether the picture's ratio is known, and whether `x` is known to be 0 to 1.
    pub(super) measured: bool,
    pub(super) normalised: bool,
    /// End of the window.
    pub(super) end_ms: i64,
    pub(super) profile: Option<&'a UserProfile>,
}

/// What is said about a section.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) phase: Phase,
    pub(super) grade: Option<f32>,
    pub(super) sentence: String,
    pub(super) repetitions: Vec<Repetition>,
    pub(super) joints: Vec<JointRange>,
    pub(super) tempo: Option<Tempo>,
    pub(super) symmetry: Option<Symmetry>,
    pub(super) faults: Vec<Fault>,
}

/// The movement of a section: the leading joint's signal in each frame, and the repetitions.
struct Movement {
    readings: Vec<(f64, Option<Stance>)>,
    turns: Vec<(Turn, Repetition)>,
}

impl Section<'_> {
    /// Judges the section and carries the session on.
    pub(super) fn judge(&self, progress: &mut SessionProgress) -> Judged {
        progress.enter(self.exercise, self.name);
        let ruled = Drive::of(self.exercise);
        let sight = Sight::of(self.frames, ruled.map(|drive| drive.joint), self.normalised);
        let bodies: Vec<Body> = self.frames.iter().map(|frame| Body::of(frame, sight)).collect();
        if !self.measured {
            return unmeasured(progress, ruled, &bodies);
        }
        match ruled {
            Some(drive) => self.by_rules(progress, drive, &bodies),
            None => self.without_rules(progress, &bodies),
        }
    }

    fn by_rules(&self, progress: &mut SessionProgress, drive: Drive, bodies: &[Body]) -> Judged {
        let (exercise, profile, last_peak_ms) = (self.exercise, self.profile, progress.last_peak_ms);
        let movement = self.follow(progress, drive, bodies);
        let mut judged = Judged::of(movement.phase(drive, bodies.len()), joint_ranges(bodies));
        let turns = &movement.turns;
        judged.repetitions = movement.repetitions();
        let mut found = Vec::new();
        if judged.phase == Phase::Working {
            judged.symmetry = symmetry(bodies, exercise, drive);
            let symmetry = judged.symmetry;
            found = faults(&Evidence { exercise, drive, bodies, turns, symmetry, profile });
            judged.faults = found.iter().map(|found| found.fault.clone()).collect();
            judged.tempo = tempo(turns, last_peak_ms);
            // Without a complete repetition or a fault there is nothing to grade yet.
            if !turns.is_empty() || !found.is_empty() {
                let graded = grade(&found, judged.symmetry, exercise, profile);
                judged.grade = Some(graded);
                progress.grade(self.end_ms, graded);
            }
        }
        judged.sentence = match judged.phase {
            Phase::Working => sentence(&found, exercise, &judged.repetitions, judged.tempo, profile),
            Phase::Resting => "Ready when you are.".into(),
            Phase::OutOfSight => "Step back until your whole body is in the picture.".into(),
        };
        judged
    }

    /// Counts and measures. There is no grade, because nothing tells what is right.
    fn without_rules(&self, progress: &mut SessionProgress, bodies: &[Body]) -> Judged {
        let rest = progress.rest.take();
        let lead = Lead::of(bodies, progress.lead, rest);
        if lead != progress.lead {
            progress.interrupt();
            progress.lead = lead;
        }
        match (lead, bodies.first()) {
            (None, _) => progress.rest = Some(Rest::in_window(bodies)),
            // The first movement began at rest, before this window.
            (Some(_), Some(first)) if rest.is_some() => {
                progress.detector.step(first.timestamp - 1, 0.0, None, None);
            }
            _ => {}
        }
        let joints = joint_ranges(bodies);
        let still = if joints.is_empty() { Phase::OutOfSight } else { Phase::Resting };
        let mut judged = Judged::of(still, joints);
        if let Some(drive) = lead.map(Lead::drive) {
            let last_peak_ms = progress.last_peak_ms;
            let movement = self.follow(progress, drive, bodies);
            judged.phase = movement.phase(drive, bodies.len());
            judged.repetitions = movement.repetitions();
            if judged.phase == Phase::Working {
                judged.symmetry = symmetry(bodies, self.exercise, drive);
                judged.tempo = tempo(&movement.turns, last_peak_ms);
            }
        }
        let (phase, tempo, symmetry) = (judged.phase, judged.tempo, judged.symmetry);
        let repetitions = &judged.repetitions;
        let shown = free::Shown { name: self.name, phase, lead, repetitions, tempo, symmetry };
        judged.sentence = free::sentence(&shown);
        judged
    }

    /// Feeds the frames to the repetition detector.
    fn follow(&self, progress: &mut SessionProgress, drive: Drive, bodies: &[Body]) -> Movement {
        let level = self.profile.map(|profile| profile.level).unwrap_or_default();
        let mut turns = Vec::new();
        for body in bodies {
            let Some(signal) = drive.signal(body) else { continue };
            let cleared = if self.exercise == Exercise::PullUp { chin_clearance(body) } else { None };
            let turn = progress.detector.step(body.timestamp, signal, cleared, drive.stance(body));
            let Some(turn) = turn.filter(|turn| drive.is_repetition(turn)) else { continue };
            let full = is_full(self.exercise, &turn, level);
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
                range_deg: drive.degrees(turn.peak - turn.valley).abs().round() as f32,
                full,
            };
            turns.push((turn, repetition));
        }
        Movement { readings: readings(drive, bodies), turns }
    }
}

impl Judged {
    fn of(phase: Phase, joints: Vec<JointRange>) -> Self {
        let (repetitions, faults) = (Vec::new(), Vec::new());
        Self { phase, grade: None, sentence: String::new(), repetitions, joints, tempo: None, symmetry: None, faults }
    }

    /// The section as an exercise that ended in the window, with its session.
    pub(super) fn ended(self, exercise: Exercise, name: &str, session: &SessionProgress) -> EarlierExercise {
        EarlierExercise {
            exercise,
            exercise_name: name.to_owned(),
            grade: self.grade,
            sentence: self.sentence,
            repetitions: self.repetitions,
            session_repetitions: session.full,
            session_half_repetitions: session.half,
        }
    }
}

/// Tells whether the athlete moves, and nothing more, because angles in a distorted picture are wrong.
fn unmeasured(progress: &mut SessionProgress, ruled: Option<Drive>, bodies: &[Body]) -> Judged {
    progress.interrupt();
    let drive = ruled.or_else(|| Lead::of(bodies, None, None).map(Lead::drive));
    let readings = drive.map_or_else(Vec::new, |drive| readings(drive, bodies));
    let movement = Movement { readings, turns: Vec::new() };
    let phase = match drive {
        Some(drive) => movement.phase(drive, bodies.len()),
        None if joint_ranges(bodies).is_empty() => Phase::OutOfSight,
        None => Phase::Resting,
    };
    let mut judged = Judged::of(phase, Vec::new());
    judged.sentence = match phase {
        Phase::Working => "Not graded: the shape of the picture is unknown. Send aspect_ratio with each frame, the \
                           picture's width divided by its height."
            .into(),
        Phase::Resting => "Ready when you are.".into(),
        Phase::OutOfSight => "Step back until your whole body is in the picture.".into(),
    };
    judged
}

/// The leading joint's signal in each frame that shows it, and where the body is.
fn readings(drive: Drive, bodies: &[Body]) -> Vec<(f64, Option<Stance>)> {
    bodies.iter().filter_map(|body| Some((drive.signal(body)?, drive.stance(body)))).collect()
}

impl Movement {
    fn repetitions(&self) -> Vec<Repetition> {
        self.turns.iter().map(|(_, repetition)| *repetition).collect()
    }

    fn phase(&self, drive: Drive, frames: usize) -> Phase {
        let by_signal = |a: &&(f64, _), b: &&(f64, _)| a.0.total_cmp(&b.0);
        let (Some(low), Some(high)) = (self.readings.iter().min_by(by_signal), self.readings.iter().max_by(by_signal))
        else {
            return Phase::OutOfSight;
        };
        if self.readings.len() * 2 < frames {
            return Phase::OutOfSight;
        }
        let moves = high.0 - low.0 >= WORKING && drive.is_carried([low.1, high.1], [low.0, high.0]);
        if moves || !self.turns.is_empty() { Phase::Working } else { Phase::Resting }
    }
}

/// The duration of the way to the far end, and the number of repetitions per minute.
fn tempo(turns: &[(Turn, Repetition)], last_peak_ms: Option<i64>) -> Option<Tempo> {
    let (last, _) = turns.last().filter(|(last, _)| !last.unseen)?;
    let work_s = ((last.peak_ms - last.start_ms).max(100) as f32) / 1000.0;
    let before = turns.len().checked_sub(2).map(|i| turns[i].0.peak_ms).or(last_peak_ms);
    let period_s = before.map_or(2.0 * work_s, |before| ((last.peak_ms - before).max(100) as f32) / 1000.0);
    Some(Tempo { work_s: round1(work_s), per_minute: round1(60.0 / period_s) })
}
