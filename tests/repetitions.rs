//! With windows that end with a repetition, form coach counts, grades and tells what it does with windows of three seconds.

mod common;

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use bytes::Bytes;
use common::recordings::{frames, truth};
use tidemill::{
    StreamsConfig, Windowed,
    state::{Codec as _, Coded},
    testing::{DriverOptions, TestInputTopic, TestOutputTopic, TopologyTestDriver},
};
use tidemill_apps::apps::{
    Erased, Format, LateEvents, WindowEnds, Windows,
    form_coach::{self, APPLICATION},
    recordings::{FormTruth, START_MS, SessionTruth},
};
use tidemill_schemas::{FaultKind, FormFeedback, Phase, PoseFrame};

const GRACE_MS: i64 = 500;

/// Form coach under the test driver. No analyst answers, so each draft is published when the next one comes.
struct Coach {
    driver: TopologyTestDriver,
    pose: TestInputTopic<String, String>,
    /// The requests to the analyst: one for each window, when it closes.
    requests: TestOutputTopic<Bytes, Bytes>,
    feedback: TestOutputTopic<Windowed<String>, String>,
}

impl Coach {
    fn start() -> Self {
        let windows = Windows { ends: WindowEnds::WithContent, ..APPLICATION.windows };
        let topology = (APPLICATION.topology)(&windows, &Format::Json).expect("valid");
        let config = StreamsConfig::new(APPLICATION.id);
        let driver = TopologyTestDriver::with(&topology, DriverOptions { config, ..DriverOptions::default() });
        let driver = driver.expect("starts");
        // The call's topics come with the first step.
        driver.advance_wall_clock(Duration::ZERO).expect("steps");
        Self {
            pose: driver.input(form_coach::POSE),
            requests: driver.output("form-coach-coach-analyst-requests"),
            feedback: driver.output(form_coach::FEEDBACK),
            driver,
        }
    }

    fn send(&self, frame: &PoseFrame) {
        let text = serde_json::to_string(frame).expect("serialises");
        self.pose.pipe(frame.user_id.clone(), text, frame.timestamp).expect("processed");
    }

    fn send_all<'a>(&self, frames: impl IntoIterator<Item = &'a PoseFrame>) {
        for frame in frames {
            self.send(frame);
        }
    }

    fn pass(&self, millis: u64) {
        for _ in 0..millis / 100 {
            self.driver.advance_wall_clock(Duration::from_millis(100)).expect("steps");
        }
    }

    /// Athlete, start and end of the windows that have closed since the last call, in order.
    fn closed(&self) -> Vec<(String, i64, i64)> {
        // The id of a request is its key, and a number of eight bytes.
        let keys = self.requests.read().expect("reads").into_iter().map(|(id, ..)| id.slice(..id.len() - 8));
        let codec = <Windowed<String> as Coded>::Codec::default();
        let keys = keys.map(|key| codec.decode(key).expect("a window"));
        keys.map(|Windowed { key, window }| (key, window.start, window.end)).collect()
    }

    /// The feedback since the last call, after silence has closed everything. Nothing tells which call made it.
    fn read(&self) -> Vec<FormFeedback> {
        self.pass(15_000);
        let parse = |(key, text, _): &(Windowed<String>, String, i64)| {
            let feedback: FormFeedback = serde_json::from_str(text).expect("feedback");
            let Windowed { key: user_id, window } = key;
            assert_eq!(
                (&feedback.user_id, feedback.window_start_ms, feedback.window_end_ms),
                (user_id, window.start, window.end)
            );
            FormFeedback { provenance: None, ..feedback }
        };
        self.feedback.read().expect("reads").iter().map(parse).collect()
    }
}

/// The feedback on frames of one athlete.
fn coached(frames: &[PoseFrame]) -> Vec<FormFeedback> {
    let coach = Coach::start();
    coach.send_all(frames);
    coach.read()
}

fn of(name: &str, user: &str) -> Vec<PoseFrame> {
    frames(name).into_iter().map(|frame| PoseFrame { user_id: user.to_owned(), ..frame }).collect()
}

/// The feedback on all recordings, whose athletes train at the same time.
static ALL: LazyLock<BTreeMap<String, Vec<FormFeedback>>> = LazyLock::new(|| {
    let FormTruth { sessions, cases, .. } = truth();
    let names = sessions.into_iter().map(|one| one.name).chain(cases.into_iter().map(|one| one.name));
    let mut all: Vec<PoseFrame> = names.flat_map(|name| frames(&name)).collect();
    all.sort_by_key(|frame| frame.timestamp);
    let mut by_user = BTreeMap::<String, Vec<FormFeedback>>::new();
    for one in coached(&all) {
        by_user.entry(one.user_id.clone()).or_default().push(one);
    }
    by_user
});

/// The time of a repetition, and the time before the first one, as the sessions were generated.
fn period_ms(name: &str) -> i64 {
    match name {
        "pull_ups_clean" => 3_600,
        "pull_ups_half" => 3_000,
        "pull_ups_swinging" => 3_300,
        "pull_ups_one_sided" => 3_900,
        "squats_clean" => 3_400,
        "push_ups_clean" | "push_ups_sagging" => 2_800,
        other => panic!("{other} is no session"),
    }
}

/// When the athlete is back from each repetition: the way back ends after 87% of its time.
fn ends(session: &SessionTruth) -> Vec<i64> {
    let period_ms = period_ms(&session.name);
    let all = i64::from(session.repetitions + session.half_repetitions);
    (0..all).map(|at| START_MS + 2_400 + at * period_ms + period_ms * 87 / 100).collect()
}

fn mean_grade(feedback: &[FormFeedback]) -> f32 {
    let grades: Vec<f32> = feedback.iter().filter_map(|one| one.grade).collect();
    assert!(!grades.is_empty(), "there is a grade");
    grades.iter().sum::<f32>() / grades.len() as f32
}

/// The one fault of all graded windows; `None` if there is none.
fn fault(feedback: &[FormFeedback]) -> Option<FaultKind> {
    let graded = || feedback.iter().filter(|one| one.grade.is_some());
    let first = graded().flat_map(|one| &one.faults).next()?.kind;
    assert!(graded().all(|one| one.faults.first().is_some_and(|fault| fault.kind == first)), "{first:?}");
    Some(first)
}

/// Full and half repetitions of each exercise, in order.
fn counted(feedback: &[FormFeedback]) -> Vec<(String, u32, u32)> {
    let ended = feedback.iter().flat_map(|one| &one.earlier);
    let ended = ended.map(|one| (&one.exercise_name, one.session_repetitions, one.session_half_repetitions));
    let last = feedback.last().expect("feedback");
    let last = (&last.exercise_name, last.session_repetitions, last.session_half_repetitions);
    ended.chain([last]).map(|(name, full, half)| (name.clone(), full, half)).collect()
}

/// Each frame is in one window, and windows follow each other.
fn assert_complete(frames: &[PoseFrame], feedback: &[FormFeedback]) {
    let windows: Vec<_> = feedback.iter().map(|one| one.window_start_ms..one.window_end_ms).collect();
    assert!(windows.windows(2).all(|two| two[0].end <= two[1].start), "{windows:?}");
    for frame in frames {
        assert!(windows.iter().any(|window| window.contains(&frame.timestamp)), "{} in {windows:?}", frame.timestamp);
    }
}

#[test]
fn each_repetition_is_one_result_that_ends_with_it() {
    for session in truth().sessions {
        let feedback = &ALL[&session.name];
        assert_complete(&frames(&session.name), feedback);
        let with = feedback.iter().filter(|one| !one.repetitions.is_empty()).collect::<Vec<_>>();
        let ends = ends(&session);
        assert_eq!(with.len(), ends.len(), "{}", session.name);
        for (one, end_ms) in with.iter().zip(ends) {
            assert_eq!(one.repetitions.len(), 1, "{}: {:?}", session.name, one.repetitions);
            let late_ms = one.window_end_ms - end_ms;
            // The athlete is near the start position before the way back ends; frames are 200 ms apart.
            assert!((-500..=500).contains(&late_ms), "{}: {late_ms}", session.name);
            assert!(one.repetitions[0].end_ms < one.window_end_ms);
        }
    }
}

#[test]
fn a_repetitions_feedback_comes_within_a_second_of_its_end() {
    for name in ["squats_clean", "pull_ups_half"] {
        let session = truth().sessions.into_iter().find(|one| one.name == name).expect("a session");
        let (coach, mut closed) = (Coach::start(), Vec::new());
        for frame in frames(name) {
            coach.send(&frame);
            closed.extend(coach.closed().into_iter().map(|(_, start_ms, end_ms)| (start_ms, end_ms, frame.timestamp)));
        }
        for end_ms in ends(&session) {
            let half_back = end_ms - period_ms(name) / 5;
            let its =
                closed.iter().find(|(start_ms, window_end_ms, _)| (*start_ms..*window_end_ms).contains(&half_back));
            let (_, _, at_ms) = its.expect("it closed before the recording ended");
            assert!(*at_ms <= end_ms + 1_000, "{name}: {} ms after", at_ms - end_ms);
        }
    }
}

#[test]
fn sessions_are_counted_and_judged_as_they_were_planted() {
    let sessions = truth().sessions;
    for session in &sessions {
        let (name, feedback) = (&session.name, &ALL[&session.name]);
        let last = feedback.last().expect("feedback");
        let counted = (last.session_repetitions, last.session_half_repetitions);
        assert_eq!(counted, (session.repetitions, session.half_repetitions), "{name}");
        assert_eq!((last.phase, last.grade), (Phase::Resting, None), "{name}");
        assert_eq!(fault(feedback), session.fault, "{name}");
        let grade = mean_grade(feedback);
        if session.fault.is_none() {
            assert!(grade >= 9.0, "{name} got {grade}");
            continue;
        }
        let is_clean = |one: &&SessionTruth| one.fault.is_none() && one.exercise == session.exercise;
        let clean = mean_grade(&ALL[&sessions.iter().find(is_clean).expect("a clean session").name]);
        assert!(grade + 2.0 <= clean, "{name} got {grade}, clean got {clean}");
    }
}

#[test]
fn cases_are_counted_and_judged_as_they_were_planted() {
    for planted in truth().cases {
        let (name, feedback) = (&planted.name, &ALL[&planted.name]);
        assert_complete(&frames(name), feedback);
        let expected: Vec<_> = planted.counted.iter().map(|one| (one.exercise.clone(), one.repetitions, 0)).collect();
        assert_eq!(counted(feedback), expected, "{name}");
        let listed = |one: &FormFeedback| {
            one.repetitions.iter().chain(one.earlier.iter().flat_map(|ended| &ended.repetitions)).count() as u32
        };
        assert!(feedback.iter().all(|one| listed(one) <= 1), "{name}");
        let all: u32 = planted.counted.iter().map(|one| one.repetitions).sum();
        assert_eq!(feedback.iter().map(listed).sum::<u32>(), all, "{name}");

        assert_eq!(feedback.iter().any(|one| one.grade.is_some()), planted.graded, "{name}");
        let obstacles: Vec<_> = feedback.iter().filter_map(|one| one.obstacle).collect();
        assert!(obstacles.iter().all(|one| Some(*one) == planted.obstacle), "{name}: {obstacles:?}");
        assert_eq!(obstacles.is_empty(), planted.obstacle.is_none(), "{name}");
        assert_eq!(fault(feedback), planted.fault, "{name}");
        if planted.graded {
            assert_eq!(mean_grade(feedback) >= 9.0, planted.fault.is_none(), "{name}");
        }
    }
    // Who does no repetition hears something, too.
    assert!(ALL["standing"].len() >= 2 && ALL["walking"].len() >= 2);
}

#[test]
fn quick_and_slow_repetitions_are_one_result_each() {
    for (name, all) in [("squats_clean", 12), ("pull_ups_half", 12)] {
        let at_speed = |times: i64, over: i64| {
            let mut frames = frames(name);
            for frame in &mut frames {
                frame.timestamp = START_MS + (frame.timestamp - START_MS) * times / over;
            }
            frames
        };
        for frames in [at_speed(1, 2), at_speed(2, 1), often(&frames(name), 4)] {
            let feedback = coached(&frames);
            assert_complete(&frames, &feedback);
            let with: Vec<_> = feedback.iter().map(|one| one.repetitions.len()).filter(|count| *count > 0).collect();
            assert_eq!(with, vec![1; all], "{name}, {} frames", frames.len());
        }
    }
}

#[test]
fn a_hold_that_trembles_is_one_repetition() {
    let frames = frames("squats_clean");
    let at = |from: i64, to: i64| {
        let span = START_MS + from..START_MS + to;
        frames.iter().filter(move |frame| span.contains(&frame.timestamp))
    };
    // The first way down is from 2.4 s to 3.6 s. Near its middle and near its end, the athlete goes to and fro.
    for hold_ms in [3_000, 3_500] {
        let (two, long_ms): (Vec<_>, i64) = (at(hold_ms - 500, hold_ms).take(2).collect(), 8_000);
        let trembling = (0..long_ms / 200).map(|n| (two[n as usize % 2], START_MS + hold_ms + n * 200));
        let trembling = trembling.map(|(frame, timestamp)| PoseFrame { timestamp, ..frame.clone() });
        let after = at(hold_ms, 8_000);
        let after = after.map(|frame| PoseFrame { timestamp: frame.timestamp + long_ms, ..frame.clone() });
        let held: Vec<_> = at(0, hold_ms).cloned().chain(trembling).chain(after).collect();
        let feedback = coached(&held);
        assert_complete(&held, &feedback);
        assert_eq!(feedback.last().expect("feedback").session_repetitions, 1, "{hold_ms}");
        assert_eq!(feedback.iter().map(|one| one.repetitions.len()).sum::<usize>(), 1, "{hold_ms}");
        assert!(feedback.len() <= 4, "{hold_ms}: {}", feedback.len());
    }
}

/// So many frames for each one, with the body on its way from one to the next.
fn often(frames: &[PoseFrame], times: i64) -> Vec<PoseFrame> {
    let between = |one: &PoseFrame, next: &PoseFrame, at: i64| {
        let part = at as f32 / times as f32;
        let mut frame = one.clone();
        frame.timestamp += (next.timestamp - one.timestamp) * at / times;
        for (mark, next) in frame.landmarks.iter_mut().zip(&next.landmarks) {
            (mark.x, mark.y) = (mark.x + part * (next.x - mark.x), mark.y + part * (next.y - mark.y));
        }
        frame
    };
    frames.windows(2).flat_map(|two| (0..times).map(|at| between(&two[0], &two[1], at)).collect::<Vec<_>>()).collect()
}

#[test]
fn frames_out_of_order_are_judged_like_frames_in_order() {
    for name in ["squats_clean", "curls"] {
        let ordered = frames(name);
        // Each frame comes up to 400 ms late, and some come twice.
        let mut shuffled: Vec<PoseFrame> = ordered.chunks(3).flat_map(|three| three.iter().rev().cloned()).collect();
        shuffled.extend(ordered.last().cloned());
        let coach = Coach::start();
        coach.send_all(&shuffled);
        let feedback = coach.read();
        assert_complete(&ordered, &feedback);
        assert_eq!(counted(&feedback), counted(&ALL[name]), "{name}");
        let late = coach.driver.output::<Windowed<String>, LateEvents>(form_coach::LATE);
        assert!(late.read().expect("reads").is_empty(), "{name}");
    }
}

#[test]
fn a_frame_whose_repetition_is_closed_is_told_and_changes_nothing() {
    let coach = Coach::start();
    let squats = frames("squats_clean");
    let (before, after) = squats.split_at(60);
    coach.send_all(before);
    coach.send(&PoseFrame { exercise: "push_up".to_owned(), ..squats[10].clone() });
    coach.send_all(after);
    assert_eq!(coach.read(), ALL["squats_clean"]);
    let late = coach.driver.output::<Windowed<String>, LateEvents>(form_coach::LATE).read_values().expect("reads");
    let behind_ms = before[59].timestamp - squats[10].timestamp;
    let told: Vec<_> =
        late.iter().map(|late| (late.id.as_str(), late.input.as_str(), late.events, late.behind_ms)).collect();
    assert_eq!(told, [("squats_clean", "pose", 1, behind_ms)]);
}

#[test]
fn who_vanishes_gets_feedback_when_the_clock_says_so() {
    let squats = frames("squats_clean");
    let until = |end_ms: i64| squats.iter().filter(move |frame| frame.timestamp - START_MS < end_ms);
    // The way back of the first squat ends at 5.36 s. After that, two frames come.
    let coach = Coach::start();
    coach.send_all(until(5_600));
    assert!(coach.closed().is_empty());
    coach.pass(1_000);
    let closed = coach.closed();
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert!(closed[0].2 - START_MS < 5_300, "{closed:?}");
    // In the middle of the second squat.
    coach.send_all(until(7_400).skip(until(5_600).count()));
    coach.pass(2_000);
    assert!(coach.closed().is_empty(), "frames may still come");
    coach.pass(1_000);
    let closed = coach.closed();
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert_complete(&until(7_400).cloned().collect::<Vec<_>>(), &coach.read());
}

#[test]
fn a_crash_in_the_middle_of_a_repetition_changes_nothing() {
    for name in ["squats_clean", "curls"] {
        let coach = Coach::start();
        for (at, frame) in frames(name).iter().enumerate() {
            coach.send(frame);
            if at % 7 == 3 {
                coach.driver.crash();
            }
        }
        assert_eq!(coach.read(), ALL[name], "{name}");
    }
}

#[test]
fn a_wrong_clock_harms_nobody_else() {
    let coach = Coach::start();
    let mut ahead = of("push_ups_clean", "eve");
    for frame in &mut ahead {
        frame.timestamp += 100 * 86_400_000;
    }
    for (eve, ada) in ahead.iter().zip(&frames("squats_clean")) {
        coach.send(eve);
        coach.send(ada);
    }
    coach.send_all(frames("squats_clean").iter().skip(ahead.len()));
    let (eve, ada): (Vec<_>, Vec<_>) = coach.read().into_iter().partition(|one| one.user_id == "eve");
    assert_eq!(counted(&eve), counted(&ALL["push_ups_clean"]));
    assert_eq!(ada, ALL["squats_clean"]);
}

#[test]
fn an_erased_athlete_has_no_open_repetition_and_begins_anew() {
    let coach = Coach::start();
    let (ann, anna) = (of("squats_clean", "ann"), of("squats_clean", "anna"));
    let half = 70;
    for (ann, anna) in ann[..half].iter().zip(&anna) {
        coach.send(ann);
        coach.send(anna);
    }
    let before = coach.closed().iter().filter(|(user, ..)| user == "ann").map(|(.., end_ms)| *end_ms).max();
    let waiting = ann[..half].iter().filter(|frame| before.is_some_and(|end_ms| frame.timestamp >= end_ms)).count();
    let erasures = coach.driver.input::<String, String>(form_coach::ERASURES);
    erasures.pipe("ann".into(), r#"{"requested_ms":1}"#.into(), ann[half].timestamp).expect("processed");
    let erased = coach.driver.output::<String, Erased>(form_coach::ERASED).read().expect("reads");
    assert_eq!(erased.len(), 1);
    assert!(waiting > 5 && erased[0].1.rows as usize > waiting, "{waiting}: {erased:?}");
    let open = |store: &str| {
        let sessions = coach.driver.session_store::<Windowed<String>, Bytes>(store, 0).expect("reads").expect("runs");
        let all = sessions.all().read_all().expect("reads");
        all.into_iter().filter(|((piece, _), _)| piece.key == "ann").count()
    };
    assert_eq!((open("frames"), open("frames-elements")), (0, 0));
    let pieces = coach.driver.key_value_store::<String, String>("pieces", 0).expect("reads").expect("runs");
    assert_eq!(pieces.all().read_all().expect("reads").into_iter().map(|(user, _)| user).collect::<Vec<_>>(), ["anna"]);

    coach.send_all(&anna[half..]);
    let first_ms = ann[half].timestamp;
    coach.send_all(&ann[half..]);
    let feedback = coach.read();
    let (ann, anna): (Vec<_>, Vec<_>) = feedback.into_iter().partition(|one| one.user_id == "ann");
    let again: Vec<_> = ann.iter().filter(|one| one.window_end_ms > first_ms).collect();
    assert!(again.iter().all(|one| one.window_start_ms >= first_ms), "what was erased is in no result");
    let last = again.last().expect("feedback").session_repetitions;
    assert!((8..=9).contains(&last), "{last}");
    assert_eq!(anna.last().expect("feedback").session_repetitions, 12);
    assert_eq!(GRACE_MS, i64::try_from(APPLICATION.windows.grace.as_millis()).expect("short"));
}
