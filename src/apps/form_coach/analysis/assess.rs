//! Computes a window's feedback and the session's state after the window.

use tidemill_schemas::{Exercise, FormFeedback, Landmark, Obstacle, Phase, PoseFrame, SkeletonPoint};

use super::judge::Section;
use super::mixed::of_one_body;
use super::picture::aspect_ratio;
use super::progress::SessionProgress;
use super::replay::replay;
use super::sequence::in_order;
use super::window::PoseWindow;

/// The analyst's name in this feedback.
const ANALYST: &str = "offline";
/// A derived ratio this close to 1 may be of a picture whose `x` is in heights.
const SQUARE: std::ops::RangeInclusive<f32> = 0.87..=1.15;

/// An exercise with fewer frames in a window, or with frames of a shorter time, is a slip of the sender.
const LEAST_FRAMES: usize = 3;
const LEAST_MS: i64 = 500;
/// With more time from frame to frame, nothing can be judged.
const SELDOM_MS: i64 = 500;
/// After a longer time without a frame, the athlete was away.
const AWAY_MS: i64 = 30_000;

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
        let frames = in_order(&window.frames);
        let mut progress = window.progress.clone();
        let mut feedback = empty(window, &progress, frames.last());
        let before_ms = progress.seen_ms;
        progress.seen_ms = frames.last().map(|frame| frame.timestamp).or(before_ms);
        match of_one_body(frames) {
            Some(frames) if frames.is_empty() => {
                if progress.exercise.is_none() {
                    progress.enter(Exercise::Other, "");
                }
                feedback.sentence = "Step back until your whole body is in the picture.".into();
            }
            Some(frames) if are_seldom(&frames, before_ms) => {
                progress.interrupt();
                feedback.phase = Phase::Resting;
                feedback.sentence = "Too few frames to judge: send five a second.".into();
            }
            Some(frames) => of_frames(window, frames, &mut progress, &mut feedback),
            None => {
                progress.interrupt();
                feedback.phase = Phase::Working;
                feedback.obstacle = Some(Obstacle::MixedFrames);
                feedback.sentence = "Not graded: two cameras send frames for this athlete, or two people are in the \
                                     picture. Stop one camera, or train alone in front of it."
                    .into();
            }
        }
        feedback.session_repetitions = progress.repetitions();
        feedback.session_half_repetitions = progress.half_repetitions();
        feedback.session_grade = progress.mean_grade();
        feedback.session_change = progress.change();
        feedback.progress = progress.points();
        Self { feedback, progress }
    }
}

/// Whether the frames are too far apart in time to follow a movement. A single frame is compared with the one before.
fn are_seldom(frames: &[PoseFrame], before_ms: Option<i64>) -> bool {
    let gap = match frames {
        [one] => before_ms.map(|before| one.timestamp - before).filter(|gap| *gap <= AWAY_MS),
        more => {
            let mut gaps: Vec<i64> = more.windows(2).map(|two| two[1].timestamp - two[0].timestamp).collect();
            gaps.sort_unstable();
            gaps.get(gaps.len() / 2).copied()
        }
    };
    gap.is_some_and(|gap| gap > SELDOM_MS)
}

/// Feedback that says nothing yet. The exercise is the session's, if there is a session.
fn empty(window: &PoseWindow, progress: &SessionProgress, last: Option<&PoseFrame>) -> FormFeedback {
    let of_frame = last.map(|frame| Exercise::from_name(&frame.exercise));
    let exercise = progress.exercise.or(of_frame).unwrap_or(Exercise::Other);
    let name = last.filter(|frame| progress.exercise.is_none_or(|_| progress.is_of(exercise, &frame.exercise)));
    FormFeedback {
        user_id: window.user_id.clone(),
        window_start_ms: window.start_ms,
        window_end_ms: window.end_ms,
        analyst: ANALYST.to_owned(),
        exercise,
        exercise_name: name.map(|frame| frame.exercise.clone()).unwrap_or_default(),
        phase: Phase::OutOfSight,
        obstacle: None,
        grade: None,
        sentence: String::new(),
        repetitions: Vec::new(),
        joints: Vec::new(),
        tempo: None,
        symmetry: None,
        faults: Vec::new(),
        skeleton: last.map_or_else(Vec::new, skeleton),
        frames: last.map_or_else(Vec::new, |last| replay(std::slice::from_ref(last))),
        session_repetitions: 0,
        session_half_repetitions: 0,
        session_grade: None,
        session_change: None,
        progress: Vec::new(),
        earlier: Vec::new(),
        provenance: None,
    }
}

fn skeleton(frame: &PoseFrame) -> Vec<SkeletonPoint> {
    let point = |mark: &Landmark| {
        let Landmark { part, x, y, visibility, .. } = *mark;
        SkeletonPoint { part, x, y, visibility: visibility.unwrap_or(1.0) }
    };
    frame.landmarks.iter().map(point).collect()
}

/// Judges the frames of one body, each exercise apart.
fn of_frames(
    window: &PoseWindow,
    mut frames: Vec<PoseFrame>,
    progress: &mut SessionProgress,
    feedback: &mut FormFeedback,
) {
    let told = frames.iter().any(|frame| frame.aspect_ratio.is_some());
    let ratio = aspect_ratio(&frames, &mut progress.proportions);
    for frame in &mut frames {
        frame.aspect_ratio = frame.aspect_ratio.or(ratio);
    }
    feedback.frames = replay(&frames);
    feedback.skeleton = frames.last().map_or_else(Vec::new, skeleton);

    let before = progress.clone();
    let mut sections = by_exercise(frames);
    if sections.len() > 1 && !changes_at_the_end(&sections) {
        sections.retain(|(exercise, name, frames)| before.is_of(*exercise, name) || !is_slip(frames));
    }
    if sections.is_empty() {
        progress.interrupt();
        feedback.phase = Phase::Resting;
        feedback.sentence =
            "Not judged: the exercise changed with each frame. Send one name for all frames of an exercise.".into();
        return;
    }
    let last = sections.len().saturating_sub(1);
    for (at, (exercise, name, frames)) in sections.into_iter().enumerate() {
        let section = Section {
            exercise,
            name: &name,
            frames: &frames,
            measured: ratio.is_some(),
            normalised: told || ratio.is_some_and(|ratio| !SQUARE.contains(&ratio)),
            end_ms: window.end_ms,
            profile: window.profile.as_ref(),
        };
        // The session of before goes on with its exercise, also if another exercise was in between.
        let mut session = before.clone();
        let judged = section.judge(&mut session);
        if at < last {
            feedback.earlier.push(judged.ended(exercise, &name, &session));
            continue;
        }
        if ratio.is_none() && judged.phase == Phase::Working {
            feedback.obstacle = Some(Obstacle::UnknownAspectRatio);
        }
        *progress = session;
        (feedback.exercise, feedback.exercise_name) = (exercise, name);
        feedback.phase = judged.phase;
        feedback.grade = judged.grade;
        feedback.sentence = judged.sentence;
        feedback.repetitions = judged.repetitions;
        feedback.joints = judged.joints;
        feedback.tempo = judged.tempo;
        feedback.symmetry = judged.symmetry;
        feedback.faults = judged.faults;
    }
}

/// An exercise, its name in the frames, and its frames.
type Stretch = (Exercise, String, Vec<PoseFrame>);

/// Whether the window has one exercise, and then the first frames of another one. A single frame tells no change.
fn changes_at_the_end(parts: &[Stretch]) -> bool {
    let [(.., before), (.., after)] = parts else { return false };
    let (Some(last), Some(first)) = (before.last(), after.first()) else { return false };
    !is_slip(before) && after.len() > 1 && first.timestamp > last.timestamp
}

/// Whether an exercise has too few frames in a window to be meant.
fn is_slip(frames: &[PoseFrame]) -> bool {
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return true };
    frames.len() < LEAST_FRAMES || last.timestamp - first.timestamp < LEAST_MS
}

/// The frames of each exercise with its name in the frames, in the order in which they end. Spellings of an exercise
/// with rules are the same exercise.
fn by_exercise(frames: Vec<PoseFrame>) -> Vec<Stretch> {
    let mut parts: Vec<Stretch> = Vec::new();
    for frame in frames {
        let exercise = Exercise::from_name(&frame.exercise);
        let is_same =
            |(known, name, _): &Stretch| *known == exercise && (exercise != Exercise::Other || *name == frame.exercise);
        let mut part = match parts.iter().position(is_same) {
            Some(at) => parts.remove(at),
            None => (exercise, String::new(), Vec::new()),
        };
        part.1.clone_from(&frame.exercise);
        part.2.push(frame);
        parts.push(part);
    }
    parts
}
