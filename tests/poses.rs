//! Form coach takes frames as real cameras and people make them: what it cannot judge, it tells, and it counts nothing
//! that is no repetition.

mod common;

use std::collections::BTreeSet;

use common::recordings::{frames, truth};
use tidemill_apps::apps::form_coach::analysis::{Assessment, PoseWindow, SessionProgress};
use tidemill_apps::apps::recordings::{CaseTruth, FormTruth, START_MS};
use tidemill_schemas::{FaultKind, FormFeedback, Landmark, Obstacle, Part, Phase, PoseFrame, Side};

const WIDE: f32 = 16.0 / 9.0;

/// The feedback on frames, window by window. The state between windows goes through JSON, as in the store.
fn coached(frames: &[PoseFrame]) -> Vec<FormFeedback> {
    let window_ms = truth().window_ms;
    let last_ms = frames.iter().map(|frame| frame.timestamp).max().expect("frames");
    let mut progress = SessionProgress::default();
    let starts = (START_MS..=last_ms).step_by(window_ms as usize);
    let feedback = starts.map(|start_ms| {
        let end_ms = start_ms + window_ms;
        let inside = frames.iter().filter(|frame| (start_ms..end_ms).contains(&frame.timestamp));
        let (user_id, frames) = (frames[0].user_id.clone(), inside.cloned().collect());
        let window =
            PoseWindow { user_id, start_ms, end_ms, frames, profile: None, progress: std::mem::take(&mut progress) };
        let Assessment { feedback, progress: next } = Assessment::of(&window);
        progress = serde_json::from_slice(&serde_json::to_vec(&next).expect("serialises")).expect("parses");
        feedback
    });
    feedback.collect()
}

fn case(name: &str) -> (CaseTruth, Vec<FormFeedback>) {
    let truth = truth().cases.into_iter().find(|case| case.name == name).expect("case");
    (truth, coached(&frames(name)))
}

fn mean_grade(feedback: &[FormFeedback]) -> f32 {
    let grades: Vec<f32> = feedback.iter().filter_map(|one| one.grade).collect();
    assert!(!grades.is_empty(), "there is a grade");
    grades.iter().sum::<f32>() / grades.len() as f32
}

/// The fault of most graded windows.
fn main_fault(feedback: &[FormFeedback]) -> Option<FaultKind> {
    let graded: Vec<_> = feedback.iter().filter(|one| one.grade.is_some()).collect();
    let kinds: Vec<_> = graded.iter().flat_map(|one| &one.faults).map(|fault| fault.kind).collect();
    let most = |kind: &&FaultKind| 2 * kinds.iter().filter(|other| other == kind).count() > graded.len();
    kinds.iter().find(most).copied()
}

/// Full and half repetitions of each exercise, in order.
fn counted(feedback: &[FormFeedback]) -> Vec<(String, u32, u32)> {
    let ended = feedback.iter().flat_map(|one| &one.earlier);
    let ended = ended.map(|one| (&one.exercise_name, one.session_repetitions, one.session_half_repetitions));
    let last = feedback.last().expect("feedback");
    let last = (&last.exercise_name, last.session_repetitions, last.session_half_repetitions);
    ended.chain([last]).map(|(name, full, half)| (name.clone(), full, half)).collect()
}

/// The frames as a wide camera sends them that does not tell its picture's ratio.
fn untold_wide(frames: &[PoseFrame]) -> Vec<PoseFrame> {
    let mut frames = frames.to_vec();
    for frame in &mut frames {
        frame.aspect_ratio = None;
        for point in &mut frame.landmarks {
            (point.x, point.z) = (0.5 + (point.x - 0.5) / WIDE, point.z / WIDE);
        }
    }
    frames
}

#[test]
fn every_case_is_counted_and_judged_as_it_was_planted() {
    for planted in truth().cases {
        let (_, feedback) = case(&planted.name);
        let name = &planted.name;
        let expected: Vec<_> = planted.counted.iter().map(|one| (one.exercise.clone(), one.repetitions, 0)).collect();
        assert_eq!(counted(&feedback), expected, "{name}");
        let listed = feedback
            .iter()
            .flat_map(|one| one.repetitions.iter().chain(one.earlier.iter().flat_map(|ended| &ended.repetitions)));
        let all: u32 = planted.counted.iter().map(|one| one.repetitions).sum();
        assert_eq!(listed.filter(|repetition| repetition.full).count() as u32, all, "{name}");

        let graded = feedback.iter().filter(|one| one.grade.is_some()).count();
        assert_eq!(graded > 0, planted.graded, "{name}");
        let obstacles: Vec<_> = feedback.iter().filter_map(|one| one.obstacle).collect();
        assert!(obstacles.iter().all(|one| Some(*one) == planted.obstacle), "{name}: {obstacles:?}");
        assert_eq!(obstacles.is_empty(), planted.obstacle.is_none(), "{name}");
        if planted.graded {
            let faults: Vec<_> = feedback.iter().flat_map(|one| &one.faults).map(|fault| fault.kind).collect();
            assert!(faults.iter().all(|kind| Some(*kind) == planted.fault), "{name}: {faults:?}");
            assert_eq!(faults.is_empty(), planted.fault.is_none(), "{name}");
            assert_eq!(mean_grade(&feedback) >= 9.0, planted.fault.is_none(), "{name}");
        }
    }
}

#[test]
fn the_result_of_a_case_depends_neither_on_the_order_of_frames_nor_on_repeats() {
    for planted in truth().cases {
        let ordered = frames(&planted.name);
        let mut shuffled: Vec<PoseFrame> = ordered.iter().rev().cloned().collect();
        shuffled.extend(ordered.iter().step_by(7).cloned());
        assert_eq!(coached(&shuffled), coached(&ordered), "{}", planted.name);
    }
}

#[test]
fn the_shape_of_a_picture_is_derived_from_the_limbs() {
    for session in truth().sessions {
        let told = frames(&session.name);
        for untold in
            [untold_wide(&told), told.iter().map(|frame| PoseFrame { aspect_ratio: None, ..frame.clone() }).collect()]
        {
            let (derived, measured) = (coached(&untold), coached(&told));
            let last = derived.last().expect("feedback");
            // The first repetition may begin before the limbs have turned far enough.
            let first = |counted: u32, all: u32| counted == all || counted + 1 == all;
            assert!(first(last.session_repetitions, session.repetitions), "{}: {last:?}", session.name);
            assert!(first(last.session_half_repetitions, session.half_repetitions), "{}: {last:?}", session.name);
            assert_eq!(main_fault(&derived), session.fault, "{}", session.name);
            let (derived, measured) = (mean_grade(&derived), mean_grade(&measured));
            assert!((derived - measured).abs() < 0.7, "{} got {derived} instead of {measured}", session.name);
        }
    }
}

#[test]
fn a_picture_of_unknown_shape_is_not_graded_and_the_sentence_asks_for_the_field() {
    let (_, feedback) = case("squats_wide_front");
    let working: Vec<_> = feedback.iter().filter(|one| one.phase == Phase::Working).collect();
    assert!(working.len() >= 3);
    for one in &working {
        assert_eq!((one.obstacle, one.grade, one.joints.len()), (Some(Obstacle::UnknownAspectRatio), None, 0));
        assert!(one.sentence.contains("aspect_ratio"), "{}", one.sentence);
    }
    // The same frames with the field are judged.
    let mut told = frames("squats_wide_front");
    for frame in &mut told {
        frame.aspect_ratio = Some(WIDE);
    }
    let told = coached(&told);
    assert!(told.iter().all(|one| one.obstacle.is_none()));
    assert_eq!(counted(&told), [("squat".to_owned(), 3, 0)]);
}

#[test]
fn a_side_view_is_judged_by_the_side_that_is_seen() {
    let (_, feedback) = case("squats_far_side");
    for one in &feedback {
        assert_eq!(one.symmetry, None);
        let far = one.joints.iter().filter(|joint| joint.joint.starts_with("right_")).count();
        assert_eq!((far, one.joints.len()), (0, 4), "{:?}", one.joints);
    }
    // Both sides of the same movement are compared where both are seen.
    assert!(coached(&frames("squats_clean")).iter().any(|one| one.symmetry.is_some()));
}

#[test]
fn landmarks_outside_of_the_picture_or_of_low_visibility_are_not_judged() {
    let (_, feedback) = case("squats_without_feet");
    for one in &feedback {
        assert_eq!((one.phase, one.grade, one.repetitions.len()), (Phase::OutOfSight, None, 0));
        assert!(one.sentence.contains("whole body is in the picture"), "{}", one.sentence);
        assert!(!one.joints.iter().any(|joint| joint.joint.ends_with("knee")), "{:?}", one.joints);
    }
    let knees = |change: fn(&mut Landmark)| {
        let mut frames = frames("squats_clean");
        for frame in &mut frames {
            frame
                .landmarks
                .iter_mut()
                .filter(|mark| [Part::LEFT_KNEE, Part::RIGHT_KNEE].contains(&mark.part))
                .for_each(change);
        }
        coached(&frames).iter().flat_map(|one| &one.joints).filter(|joint| joint.joint.ends_with("knee")).count()
    };
    assert_eq!(knees(|mark| mark.visibility = Some(0.4)), 0);
    assert_eq!(knees(|mark| mark.x = 1.1), 0);
    assert_eq!(knees(|mark| mark.y = -0.1), 0);
    assert!(knees(|mark| mark.visibility = None) > 0);
}

#[test]
fn who_stands_or_walks_does_no_repetition_and_gets_no_grade() {
    for name in ["standing", "walking"] {
        let (_, feedback) = case(name);
        for one in &feedback {
            assert_eq!((one.phase, one.grade, one.faults.len()), (Phase::Resting, None, 0), "{name}: {one:?}");
        }
    }
}

#[test]
fn frames_of_two_bodies_are_told_and_not_counted() {
    let (_, feedback) = case("squats_two_cameras");
    for one in &feedback {
        assert_eq!((one.obstacle, one.grade), (Some(Obstacle::MixedFrames), None));
        assert!(one.sentence.contains("two cameras send frames for this athlete"), "{}", one.sentence);
    }
    // One of the two cameras alone is judged.
    let all = frames("squats_two_cameras");
    let one: Vec<PoseFrame> = all.iter().step_by(2).cloned().collect();
    assert_eq!(counted(&coached(&one)), [("squat".to_owned(), 2, 0)]);

    // Two persons before one camera: the pose model finds now the one, now the other.
    let mut two = frames("squats_clean");
    for frame in two.iter_mut().filter(|frame| frame.timestamp / 600 % 2 == 0) {
        frame.landmarks.iter_mut().for_each(|mark| mark.x += 0.45);
    }
    let two = coached(&two);
    // The last window has two frames, too few to tell.
    let (_, two) = two.split_last().expect("windows");
    assert!(two.iter().all(|one| one.obstacle == Some(Obstacle::MixedFrames) && one.repetitions.is_empty()));
}

#[test]
fn a_single_frame_at_another_place_is_left_out() {
    let clean = frames("squats_clean");
    let mut glitches = clean.clone();
    for frame in glitches.iter_mut().skip(7).step_by(15) {
        for mark in &mut frame.landmarks {
            (mark.x, mark.y) = (mark.x * 0.5, 0.5 + mark.y * 0.3);
        }
    }
    let (clean, glitches) = (coached(&clean), coached(&glitches));
    assert_eq!(counted(&glitches), counted(&clean));
    assert!(mean_grade(&glitches) >= 9.0);
}

#[test]
fn quick_movements_are_of_one_body() {
    // At twice the speed with ten frames a second, and with half of the frames.
    for name in ["squats_clean", "pull_ups_swinging", "push_ups_clean"] {
        let mut quick = frames(name);
        for frame in &mut quick {
            frame.timestamp = START_MS + (frame.timestamp - START_MS) / 2;
        }
        assert!(coached(&quick).iter().all(|one| one.obstacle.is_none()), "{name}");
        let seldom: Vec<PoseFrame> = frames(name).into_iter().step_by(2).collect();
        assert!(coached(&seldom).iter().all(|one| one.obstacle.is_none()), "{name}");
    }
}

#[test]
fn left_and_right_of_a_mirrored_picture_are_the_athletes_own() {
    let (_, feedback) = case("pull_ups_mirrored");
    let judged: Vec<_> = feedback.iter().filter(|one| !one.faults.is_empty()).collect();
    assert!(judged.len() >= 2);
    for one in judged {
        assert_eq!(one.faults[0].kind, FaultKind::OneSided);
        assert_eq!(one.symmetry.and_then(|symmetry| symmetry.stronger), Some(Side::Left));
        assert!(one.sentence.starts_with("Pull as hard with your right arm"), "{}", one.sentence);
    }
    // An athlete who faces a mirrored camera has the left hand on the left of the picture.
    let skeleton = &feedback[0].skeleton;
    let x = |part: Part| skeleton.iter().find(|point| point.part == part).expect("all parts").x;
    assert!(x(Part::LEFT_WRIST) < x(Part::RIGHT_WRIST));
}

#[test]
fn an_exercise_that_changes_within_a_window_keeps_its_repetitions() {
    let (_, feedback) = case("squats_then_push_ups");
    let changed: Vec<_> = feedback.iter().filter(|one| !one.earlier.is_empty()).collect();
    let [changed] = changed[..] else { panic!("it changes once: {changed:?}") };
    let squats = &changed.earlier[0];
    assert_eq!((squats.exercise_name.as_str(), squats.session_repetitions), ("squat", 2));
    assert_eq!(squats.repetitions.len(), 1, "the last squat ends in the window of the change");
    assert!(squats.grade.is_some_and(|grade| grade >= 9.0), "{squats:?}");
    assert_eq!((changed.exercise_name.as_str(), changed.session_repetitions), ("push_up", 0));
    // Who chooses another exercise for a moment goes on where the session was.
    let mut slip = frames("squats_clean");
    let name = |frame: &mut PoseFrame| frame.exercise = "push_up".into();
    slip.iter_mut().filter(|frame| (4_000..4_600).contains(&(frame.timestamp - START_MS))).for_each(name);
    let slip = coached(&slip);
    assert_eq!(slip.last().expect("feedback").session_repetitions, 12);
}

#[test]
fn an_exercise_without_rules_is_counted_and_measured() {
    let (_, feedback) = case("curls");
    let counted: Vec<_> = feedback.iter().filter(|one| !one.repetitions.is_empty()).collect();
    assert!(counted.len() >= 3);
    for one in &feedback {
        assert!(one.grade.is_none() && one.faults.is_empty() && one.sentence.contains("biceps_curl"), "{one:?}");
    }
    for one in counted {
        assert_eq!(one.phase, Phase::Working);
        assert!(one.tempo.is_some() && one.symmetry.is_some_and(|symmetry| symmetry.score > 0.85), "{one:?}");
        let range = one.repetitions[0].range_deg;
        assert!((100.0..150.0).contains(&range), "{range}");
        let words = one.sentence.contains("of biceps_curl: the elbows go through 1")
            && one.sentence.contains(" s on the way, both sides alike");
        assert!(words, "{}", one.sentence);
    }
    let mut pull_ups = frames("pull_ups_clean");
    for frame in &mut pull_ups {
        frame.exercise = "muscle_up".into();
    }
    assert_eq!(coached(&pull_ups).last().expect("feedback").session_repetitions, 12);
}

#[test]
fn a_hold_that_trembles_around_the_turning_point_is_one_repetition() {
    let frames = frames("squats_clean");
    let depth = |frame: &PoseFrame| frame.landmarks[Part::LEFT_HIP.index()].y;
    // The first repetition begins at 2.4 s and lasts 3.4 s.
    let inside = |from: i64, to: i64| {
        let span = START_MS + from..START_MS + to;
        frames.iter().filter(move |frame| span.contains(&frame.timestamp))
    };
    let lowest = inside(2_400, 5_800).max_by(|a, b| depth(a).total_cmp(&depth(b))).expect("frames");
    let (high, low) = (depth(&frames[0]), depth(lowest));
    // For eight seconds, each frame is on the other side of half, three quarters or nine tenths of the way down.
    for part in [0.5, 0.75, 0.9] {
        let mut session: Vec<PoseFrame> = inside(0, lowest.timestamp - START_MS).cloned().collect();
        let at = high + part * (low - high);
        let mut near: Vec<_> = inside(2_400, 5_800).collect();
        near.sort_by(|a, b| (depth(a) - at).abs().total_cmp(&(depth(b) - at).abs()));
        for frame in 0..40 {
            let timestamp = lowest.timestamp + frame * 200;
            session.push(PoseFrame { timestamp, ..near[frame as usize % 2].clone() });
        }
        let rest = inside(lowest.timestamp - START_MS, 8_000);
        session.extend(rest.map(|frame| PoseFrame { timestamp: frame.timestamp + 8_000, ..frame.clone() }));
        let repetitions: Vec<_> = coached(&session).into_iter().flat_map(|one| one.repetitions).collect();
        assert_eq!(repetitions.len(), 1, "{part}: {repetitions:?}");
    }
}

/// The frames of an exercise in all recordings, each with its recording's name.
fn all_frames(exercise: &str) -> Vec<(String, PoseFrame)> {
    let FormTruth { sessions, cases, .. } = truth();
    let names = sessions.into_iter().map(|one| one.name).chain(cases.into_iter().map(|one| one.name));
    let all = names.flat_map(|name| frames(&name).into_iter().map(move |frame| (name.clone(), frame)));
    all.filter(|(_, frame)| frame.exercise == exercise).collect()
}

/// The places of a side's parts, which are named by their left landmarks. `None` if the pose model slipped at one.
fn places<const N: usize>(frame: &PoseFrame, side: Side, parts: [Part; N]) -> Option<[[f32; 3]; N]> {
    let part = |left: Part| if side == Side::Left { left } else { left.other_side() };
    let marks = parts.map(|left| &frame.landmarks[part(left).index()]);
    let seen = marks.iter().all(|mark| mark.visibility.is_none_or(|visibility| visibility >= 0.5));
    seen.then(|| marks.map(|mark| [mark.x * frame.aspect_ratio.unwrap_or(1.0), mark.y, mark.z]))
}

/// How far a joint is from the line between two ends at its height: across the picture, and away from the camera.
/// `None` if the limb is almost straight.
fn bend([from, joint, to]: [[f32; 3]; 3]) -> Option<[f32; 2]> {
    let part = (joint[1] - from[1]) / (to[1] - from[1]);
    let [across, away] = [0, 2].map(|axis| joint[axis] - from[axis] - part * (to[axis] - from[axis]));
    (across.hypot(away) > 0.06).then_some([across, away])
}

#[test]
fn recorded_knees_bend_the_way_that_the_toes_point() {
    let (heel, toes) = (Part::from_index(29).expect("a heel"), Part::from_index(31).expect("toes"));
    let mut bent = BTreeSet::new();
    // The knees and toes of the person who stands jitter.
    for (name, frame) in all_frames("squat").into_iter().filter(|(name, _)| name != "standing") {
        for side in [Side::Left, Side::Right] {
            let leg = places(&frame, side, [Part::LEFT_HIP, Part::LEFT_KNEE, Part::LEFT_ANKLE, heel, toes]);
            let Some([hip, knee, ankle, heel, toes]) = leg else { continue };
            let Some([across, away]) = bend([hip, knee, ankle]) else { continue };
            let forward = across * (toes[0] - heel[0]) + away * (toes[2] - heel[2]);
            assert!(forward > 0.0, "{name} at {}: {side:?} {hip:?} {knee:?} {ankle:?} {toes:?}", frame.timestamp);
            bent.insert(name.clone());
        }
    }
    let squats = [
        "squats_clean",
        "squats_far_side",
        "squats_then_push_ups",
        "squats_two_cameras",
        "squats_wide_front",
        "squats_without_feet",
        "walking",
    ];
    assert!(bent.iter().eq(squats), "{bent:?}");
}

#[test]
fn recorded_elbows_of_push_ups_point_to_the_feet() {
    let mut bent = 0;
    for (name, frame) in all_frames("push_up") {
        for side in [Side::Left, Side::Right] {
            let arm = [Part::LEFT_SHOULDER, Part::LEFT_ELBOW, Part::LEFT_WRIST, Part::LEFT_HIP];
            let Some([shoulder, elbow, wrist, hip]) = places(&frame, side, arm) else { continue };
            let Some([across, _]) = bend([shoulder, elbow, wrist]) else { continue };
            assert!(across * (hip[0] - shoulder[0]) > 0.0, "{name} at {}: {side:?} {elbow:?}", frame.timestamp);
            bent += 1;
        }
    }
    assert!(bent > 100, "{bent}");
}

#[test]
fn recorded_squats_go_down_between_thighs_and_a_leaning_trunk() {
    let least =
        |one: &FormFeedback, name: &str| one.joints.iter().find(|joint| joint.joint == name).map(|one| one.min_deg);
    let feedback = coached(&frames("squats_clean"));
    let down = feedback.iter().filter(|one| least(one, "left_knee").is_some_and(|deg| deg < 90.0));
    let hips: Vec<f32> = down.filter_map(|one| least(one, "left_hip")).collect();
    assert!(hips.len() >= 10 && hips.iter().all(|deg| (60.0..100.0).contains(deg)), "{hips:?}");
}

/// Clean squats with each frame changed; `at` counts the frames.
fn changed(change: impl Fn(usize, &mut PoseFrame)) -> Vec<FormFeedback> {
    let mut frames = frames("squats_clean");
    frames.iter_mut().enumerate().for_each(|(at, frame)| change(at, frame));
    coached(&frames)
}

#[test]
fn the_name_of_an_exercise_neither_turns_nor_fills_the_sentence() {
    for one in changed(|_, frame| frame.exercise = "\u{202e}قرفصاء".into()) {
        assert!(!one.sentence.contains('\u{202e}'), "{}", one.sentence);
        assert!(one.sentence.contains("\u{2068}قرفصاء\u{2069}"), "{}", one.sentence);
    }
    for one in changed(|_, frame| frame.exercise = "x".repeat(250)) {
        assert!(one.sentence.contains(&format!("{}…", "x".repeat(59))), "{}", one.sentence);
        assert!(!one.sentence.contains(&"x".repeat(60)), "{}", one.sentence);
    }
}

#[test]
fn names_that_change_with_each_frame_are_told_and_slips_take_no_part() {
    let each = changed(|at, frame| frame.exercise = format!("ex{at}"));
    // The last window may have a single frame, whose name does not change.
    let (_, each) = each.split_last().expect("windows");
    for one in each {
        assert!(one.earlier.is_empty() && one.grade.is_none(), "{one:?}");
        assert!(one.sentence.contains("the exercise changed with each frame"), "{}", one.sentence);
    }
    let slips = changed(|at, frame| {
        if at % 13 == 5 {
            frame.exercise = format!("ex{at}");
        }
    });
    assert_eq!(counted(&slips), [("squat".to_owned(), 12, 0)]);
}

#[test]
fn frames_that_are_too_far_apart_are_told_and_have_no_tempo() {
    for apart in [1_000, 5_000] {
        let feedback = changed(|at, frame| frame.timestamp = START_MS + at as i64 * apart);
        let seen = feedback.iter().filter(|one| !one.frames.is_empty()).skip(1);
        for one in seen {
            assert_eq!((one.grade, one.tempo, one.repetitions.len()), (None, None, 0), "{apart}: {one:?}");
            assert_eq!(one.sentence, "Too few frames to judge: send five a second.", "{apart}");
        }
    }
    // A pause of three seconds in the middle of the way down.
    let paused = changed(|_, frame| {
        if frame.timestamp >= START_MS + 3_200 {
            frame.timestamp += 3_000;
        }
    });
    let first = paused.iter().find(|one| !one.repetitions.is_empty()).expect("a repetition");
    assert!(first.tempo.is_none() && !first.sentence.contains("tempo"), "{first:?}");
}

#[test]
fn points_without_order_are_no_body() {
    let mut seed = 1_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1_u64 << 24) as f32
    };
    for exercise in ["squat", "push_up", "pull_up", "curl"] {
        let mut frames = frames("squats_clean");
        for frame in &mut frames {
            frame.exercise = exercise.into();
            frame.landmarks.iter_mut().for_each(|mark| (mark.x, mark.y, mark.z) = (random(), random(), random()));
        }
        let feedback = coached(&frames);
        assert!(feedback.iter().all(|one| one.grade.is_none() && one.repetitions.is_empty()), "{exercise}");
        let (_, whole) = feedback.split_last().expect("windows");
        assert!(whole.iter().all(|one| one.obstacle == Some(Obstacle::MixedFrames)), "{exercise}");
    }
}
