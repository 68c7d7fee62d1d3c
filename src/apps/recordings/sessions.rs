//! Generates sessions of one athlete each, who does one exercise well or with one fault.

use tidemill_schemas::FaultKind;

use super::pose::{Camera, Posture, PullUpStyle};
use super::random::Random;
use super::truth::{FormTruth, SessionTruth};
use super::{Recording, START_MS, cases, pretty};

const WINDOW_MS: i64 = 3_000;
pub(super) const FRAME_MS: i64 = 200;
/// Time without movement before the first repetition and after the last.
const STILL_MS: i64 = 2_400;

/// One session's plan.
struct Session {
    name: &'static str,
    exercise: &'static str,
    repetitions: u32,
    /// Duration of a repetition and the pause after it.
    period_ms: i64,
    /// The range of each repetition; 1 is the full range.
    reach: f64,
    fault: Option<FaultKind>,
}

const SESSIONS: [Session; 7] = [
    plan("pull_ups_clean", "pull_up", 12, 3_600, 1.0, None),
    plan("pull_ups_half", "pull_up", 12, 3_000, 0.62, Some(FaultKind::HalfRepetition)),
    plan("pull_ups_swinging", "pull_up", 12, 3_300, 1.0, Some(FaultKind::Swinging)),
    plan("pull_ups_one_sided", "pull_up", 10, 3_900, 1.0, Some(FaultKind::OneSided)),
    plan("squats_clean", "squat", 12, 3_400, 1.0, None),
    plan("push_ups_clean", "push_up", 14, 2_800, 1.0, None),
    plan("push_ups_sagging", "push_up", 10, 2_800, 1.0, Some(FaultKind::BentBody)),
];

const fn plan(
    name: &'static str,
    exercise: &'static str,
    repetitions: u32,
    period_ms: i64,
    reach: f64,
    fault: Option<FaultKind>,
) -> Session {
    Session { name, exercise, repetitions, period_ms, reach, fault }
}

pub(super) fn recordings() -> Vec<Recording> {
    let path = |file: &str| format!("form_coach/recordings/{file}");
    let mut files: Vec<Recording> = SESSIONS
        .iter()
        .enumerate()
        .map(|(i, session)| Recording {
            path: path(&format!("{}.ndjson", session.name)),
            content: session.frames(&mut Random::seeded(0x9005e + i as u64)),
        })
        .collect();
    let sessions = SESSIONS.iter().map(Session::truth).collect();
    let (more, cases) = cases::recordings();
    files.extend(more.into_iter().map(|(name, content)| Recording { path: path(&format!("{name}.ndjson")), content }));
    let truth = FormTruth { window_ms: WINDOW_MS, sessions, cases };
    files.push(Recording { path: path("truth.json"), content: pretty(&truth) });
    files
}

impl Session {
    fn truth(&self) -> SessionTruth {
        let half = self.fault == Some(FaultKind::HalfRepetition);
        SessionTruth {
            name: self.name.into(),
            exercise: self.exercise.into(),
            repetitions: if half { 0 } else { self.repetitions },
            half_repetitions: if half { self.repetitions } else { 0 },
            fault: self.fault,
        }
    }

    /// The session at five frames a second, one JSON object per line.
    fn frames(&self, random: &mut Random) -> String {
        let length_ms = 2 * STILL_MS + i64::from(self.repetitions) * self.period_ms;
        let rest = self.posture(0);
        let mut lines = Vec::new();
        for frame in 0..length_ms / FRAME_MS {
            // Browsers sometimes lose a frame, and their frames are never exactly on time.
            let lost = random.chance(0.015);
            let at_ms = frame * FRAME_MS + random.below(30) as i64;
            let landmarks = self.posture(at_ms).landmarks(&Camera::SQUARE, &rest, random);
            if !lost {
                lines.push(format!(
                    "{{\"user_id\":\"{}\",\"timestamp\":{},\"exercise\":\"{}\",\"aspect_ratio\":1.0,\
                     \"landmarks\":[{landmarks}]}}\n",
                    self.name,
                    START_MS + at_ms,
                    self.exercise,
                ));
            }
        }
        lines.concat()
    }

    fn posture(&self, at_ms: i64) -> Posture {
        let moving_ms = at_ms - STILL_MS;
        let repetition = moving_ms.div_euclid(self.period_ms);
        let active = moving_ms >= 0 && repetition < i64::from(self.repetitions);
        let part = moving_ms.rem_euclid(self.period_ms) as f64 / self.period_ms as f64;
        let way = if active { self.reach * way(part) } else { 0.0 };
        match self.exercise {
            "squat" => Posture::squat(way),
            "push_up" => Posture::push_up(way, if self.fault == Some(FaultKind::BentBody) { 0.14 } else { 0.0 }),
            _ => {
                let mut style = PullUpStyle::default();
                if active && self.fault == Some(FaultKind::Swinging) {
                    style.swing = 0.17 * wave(moving_ms as f64 / 1_700.0);
                }
                if self.fault == Some(FaultKind::OneSided) {
                    style.tilt = 0.15;
                }
                Posture::pull_up(way, style)
            }
        }
    }
}

/// The position in a repetition: 35% of the time out, 7% at the far end, 45% slowly back, and a pause.
pub(super) fn way(part: f64) -> f64 {
    match part {
        ..0.35 => smooth(part / 0.35),
        ..0.42 => 1.0,
        ..0.87 => smooth(1.0 - (part - 0.42) / 0.45),
        _ => 0.0,
    }
}

/// A smooth curve from 0 to 1.
fn smooth(part: f64) -> f64 {
    part * part * (3.0 - 2.0 * part)
}

/// Back and forth between -1 and 1, once per unit of time.
fn wave(time: f64) -> f64 {
    let part = time - time.floor();
    let there = if part < 0.5 { smooth(part * 2.0) } else { smooth(2.0 - part * 2.0) };
    2.0 * there - 1.0
}
