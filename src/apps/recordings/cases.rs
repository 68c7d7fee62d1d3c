//! Generates short recordings of what real cameras and people do: pictures of any shape, hidden sides, feet outside of
//! the picture, people who stand or walk, two cameras, mirrored pictures, and exercises that change or have no rules.

use tidemill_schemas::{FaultKind, Obstacle};

use super::START_MS;
use super::pose::{Camera, Posture, PullUpStyle};
use super::random::Random;
use super::sessions::{FRAME_MS, way};
use super::truth::{CaseTruth, Counted};

/// How far the second camera's clock and frames are behind the first one's.
const SECOND_MS: i64 = 90;
/// How far the athlete before the second camera is behind.
const BEHIND_MS: i64 = 1_300;

/// One movement, repeated.
#[derive(Clone, Copy)]
struct Set {
    /// Name of the exercise in the frames.
    exercise: &'static str,
    /// Repetitions that count, and all.
    counted: u32,
    times: u32,
    period_ms: i64,
    /// The posture at a part of the way out, or at a stride.
    posture: fn(f64) -> Posture,
    /// Whether the movement goes on without a far end and without pauses, as walking does.
    strides: bool,
}

/// One case's plan.
struct Case {
    name: &'static str,
    about: &'static str,
    sets: &'static [Set],
    camera: Camera,
    /// Whether the frames tell the picture's ratio.
    told: bool,
    /// A second camera that sends frames of the same athlete.
    second: Option<Camera>,
    graded: bool,
    obstacle: Option<Obstacle>,
    fault: Option<FaultKind>,
}

/// A case with a good camera and clean form.
const CLEAN: Case = Case {
    name: "",
    about: "",
    sets: &[],
    camera: Camera::SQUARE,
    told: true,
    second: None,
    graded: true,
    obstacle: None,
    fault: None,
};

const fn set(exercise: &'static str, times: u32, period_ms: i64, posture: fn(f64) -> Posture) -> Set {
    Set { exercise, counted: times, times, period_ms, posture, strides: false }
}

/// A movement that is no repetition.
const fn idle(exercise: &'static str, times: u32, period_ms: i64, posture: fn(f64) -> Posture) -> Set {
    Set { counted: 0, ..set(exercise, times, period_ms, posture) }
}

fn push_up(down: f64) -> Posture {
    Posture::push_up(down, 0.0)
}

/// The hips are as low as clean form allows.
fn relaxed_push_up(down: f64) -> Posture {
    Posture::push_up(down, 0.065)
}

fn tilted_pull_up(pulled: f64) -> Posture {
    Posture::pull_up(pulled, PullUpStyle { tilt: 0.15, ..PullUpStyle::default() })
}

const CASES: [Case; 10] = [
    Case {
        name: "push_ups_wide",
        about: "a picture of 16:9 whose frames do not tell it: in a square picture, the hips would seem to hang",
        sets: &[set("push_up", 4, 2_800, relaxed_push_up)],
        camera: Camera::WIDE,
        told: false,
        ..CLEAN
    },
    Case {
        name: "squats_wide_front",
        about: "a picture of 16:9 whose frames do not tell it, and limbs that turn towards the camera",
        sets: &[idle("squat", 3, 3_000, Posture::squat_from_the_front)],
        camera: Camera::WIDE,
        told: false,
        graded: false,
        obstacle: Some(Obstacle::UnknownAspectRatio),
        ..CLEAN
    },
    Case {
        name: "squats_far_side",
        about: "a side view: the pose model guesses the far side, which seems to stand still",
        sets: &[set("squat", 3, 3_400, Posture::squat)],
        camera: Camera { guesses: true, ..Camera::SQUARE },
        ..CLEAN
    },
    Case {
        name: "squats_without_feet",
        about: "feet below the picture, which the pose model guesses",
        sets: &[idle("squat", 2, 3_000, Posture::squat)],
        camera: Camera { scale: 1.25, jitter: (27, 32, 0.015), ..Camera::SQUARE },
        graded: false,
        ..CLEAN
    },
    Case {
        name: "standing",
        about: "a standing person whose limbs jitter",
        sets: &[idle("squat", 1, 7_600, |_| Posture::squat(0.0))],
        camera: Camera { jitter: (25, 32, 0.025), ..Camera::SQUARE },
        graded: false,
        ..CLEAN
    },
    Case {
        name: "walking",
        about: "a person who walks through the picture",
        sets: &[Set { strides: true, ..idle("squat", 7, 1_100, Posture::walking) }],
        graded: false,
        ..CLEAN
    },
    Case {
        name: "squats_two_cameras",
        about: "two cameras that send frames for one athlete",
        sets: &[idle("squat", 2, 2_900, Posture::squat)],
        second: Some(Camera { scale: 0.7, shift: -0.2, ..Camera::SQUARE }),
        graded: false,
        obstacle: Some(Obstacle::MixedFrames),
        ..CLEAN
    },
    Case {
        name: "pull_ups_mirrored",
        about: "a mirrored picture: the athlete's left arm does more",
        sets: &[set("pull_up", 3, 3_600, tilted_pull_up)],
        camera: Camera { mirrored: true, ..Camera::SQUARE },
        fault: Some(FaultKind::OneSided),
        ..CLEAN
    },
    Case {
        name: "squats_then_push_ups",
        about: "the exercise changes within a window, just after a repetition",
        sets: &[set("squat", 2, 3_600, Posture::squat), set("push_up", 2, 2_800, push_up)],
        ..CLEAN
    },
    Case {
        name: "curls",
        about: "an exercise without rules",
        sets: &[set("biceps_curl", 4, 2_500, Posture::curl)],
        graded: false,
        ..CLEAN
    },
];

/// Time without movement before the first repetition and after the last of a set.
const STILL_MS: i64 = 700;

/// The content of each recording with its name, and the truths.
pub(super) fn recordings() -> (Vec<(&'static str, String)>, Vec<CaseTruth>) {
    let content = |(i, case): (usize, &Case)| (case.name, case.frames(&mut Random::seeded(0xca5e5 + i as u64)));
    (CASES.iter().enumerate().map(content).collect(), CASES.iter().map(Case::truth).collect())
}

impl Case {
    fn truth(&self) -> CaseTruth {
        let counted = |set: &Set| Counted { exercise: set.exercise.into(), repetitions: set.counted };
        CaseTruth {
            name: self.name.into(),
            about: self.about.into(),
            counted: self.sets.iter().map(counted).collect(),
            graded: self.graded,
            obstacle: self.obstacle,
            fault: self.fault,
        }
    }

    /// The case at five frames a second of each camera, one JSON object per line.
    fn frames(&self, random: &mut Random) -> String {
        let length_ms: i64 = self.sets.iter().map(Set::length_ms).sum();
        let mut lines = String::new();
        for frame in 0..length_ms / FRAME_MS {
            let at_ms = frame * FRAME_MS + random.below(30) as i64;
            lines += &self.line(&self.camera, at_ms, at_ms, random);
            if let Some(second) = &self.second {
                lines += &self.line(second, at_ms + SECOND_MS, (at_ms - BEHIND_MS).max(0), random);
            }
        }
        lines
    }

    /// A camera's frame with a time, of the movement at another time.
    fn line(&self, camera: &Camera, at_ms: i64, moved_ms: i64, random: &mut Random) -> String {
        let mut moved_ms = moved_ms;
        let mut sets = self.sets.iter();
        let mut set = sets.next().expect("a case has a set");
        while moved_ms >= set.length_ms()
            && let Some(next) = sets.next()
        {
            moved_ms -= set.length_ms();
            set = next;
        }
        let landmarks = set.posture(moved_ms).landmarks(camera, &set.posture(0), random);
        let ratio = if self.told { format!("\"aspect_ratio\":{:.3},", camera.ratio) } else { String::new() };
        let mirrored = if camera.mirrored { "\"mirrored\":true," } else { "" };
        format!(
            "{{\"user_id\":\"{}\",\"timestamp\":{},\"exercise\":\"{}\",{ratio}{mirrored}\"landmarks\":[{landmarks}]}}\n",
            self.name,
            START_MS + at_ms,
            set.exercise,
        )
    }
}

impl Set {
    fn length_ms(&self) -> i64 {
        2 * STILL_MS + i64::from(self.times) * self.period_ms
    }

    fn posture(&self, at_ms: i64) -> Posture {
        if self.strides {
            return (self.posture)(at_ms as f64 / self.period_ms as f64);
        }
        let moving_ms = at_ms - STILL_MS;
        let repetition = moving_ms.div_euclid(self.period_ms);
        let active = moving_ms >= 0 && repetition < i64::from(self.times);
        let part = moving_ms.rem_euclid(self.period_ms) as f64 / self.period_ms as f64;
        (self.posture)(if active { way(part) } else { 0.0 })
    }
}
