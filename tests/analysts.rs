//! The offline analysts find, window by window, what was planted in the recordings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde::de::DeserializeOwned;
use tidemill_apps::apps::form_coach::analysis::{Assessment, PoseWindow, SessionProgress};
use tidemill_apps::apps::live_insight::analysis::{self as live, ChatWindow, StreamTrend};
use tidemill_apps::apps::recordings::{self, FormTruth, LiveTruth, SessionTruth, WorldTruth};
use tidemill_apps::apps::{Analyst, Answer};
use tidemill_schemas::{
    Alert, AlertKind, ChatMessage, FaultKind, FormFeedback, Insight, MoodLabel, Phase, PoseFrame, SeriesPoint,
    Statement, StatementKind, UserProfile, parse_chat, parse_pose, parse_transcript,
};

/// Recordings are of 1 January 2026; the receiver's clock stands a day later.
const NOW_MS: i64 = recordings::START_MS + 86_400_000;

fn apps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/apps")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(apps().join(path)).expect("recording exists")
}

fn truth<T: DeserializeOwned>(app: &str) -> T {
    serde_json::from_str(&read(&format!("{app}/recordings/truth.json"))).expect("truth parses")
}

/// An offline analyst answers at once, so its future is ready when first asked.
fn answer<T>(mut future: Answer<'_, T>) -> T {
    match pin!(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.expect("offline analysts do not fail"),
        Poll::Pending => panic!("offline analysts do not wait"),
    }
}

fn chat_windows(truth: &LiveTruth) -> Vec<ChatWindow> {
    let chats = read("live_insight/recordings/chat.ndjson");
    let chats: Vec<_> = chats.lines().map(|line| parse_chat(line.as_bytes(), NOW_MS).expect("valid")).collect();
    let segments = read("live_insight/recordings/transcript.ndjson");
    let segments: Vec<_> =
        segments.lines().map(|line| parse_transcript(line.as_bytes(), NOW_MS).expect("valid")).collect();
    let mut trend = StreamTrend::default();
    (0..truth.windows)
        .map(|window| {
            let start_ms = truth.start_ms + window as i64 * truth.window_ms;
            let end_ms = start_ms + truth.window_ms;
            let inside = |timestamp: i64| (start_ms..end_ms).contains(&timestamp);
            let window = ChatWindow {
                stream_id: truth.stream_id.clone(),
                start_ms,
                end_ms,
                chats: chats.iter().filter(|chat| inside(chat.timestamp)).cloned().collect(),
                segments: segments.iter().filter(|segment| inside(segment.timestamp)).cloned().collect(),
                trend: trend.clone(),
                told: Vec::new(),
            };
            trend.update(&window);
            window
        })
        .collect()
}

fn insights() -> (LiveTruth, Vec<Insight>) {
    let truth: LiveTruth = truth("live_insight");
    let analyst = live::OfflineAnalyst;
    let insights = chat_windows(&truth).iter().map(|window| answer(analyst.analyze(window))).collect();
    (truth, insights)
}

/// The windows for which something holds.
fn windows_where(insights: &[Insight], holds: impl Fn(&Insight) -> bool) -> Vec<usize> {
    (0..insights.len()).filter(|window| holds(&insights[*window])).collect()
}

fn alerted(insights: &[Insight], kind: AlertKind) -> Vec<usize> {
    windows_where(insights, |insight| insight.alerts.iter().any(|alert| alert.kind == kind))
}

fn frames(truth: &SessionTruth) -> Vec<PoseFrame> {
    let frames = read(&format!("form_coach/recordings/{}.ndjson", truth.name));
    frames.lines().map(|line| parse_pose(line.as_bytes(), NOW_MS).expect("valid")).collect()
}

fn session(truth: &SessionTruth, window_ms: i64, profile: Option<&UserProfile>) -> Vec<FormFeedback> {
    coached(&frames(truth), window_ms, profile)
}

fn coached(frames: &[PoseFrame], window_ms: i64, profile: Option<&UserProfile>) -> Vec<FormFeedback> {
    let last_ms = frames.last().expect("frames").timestamp;
    let mut progress = SessionProgress::default();
    let mut feedback = Vec::new();
    let mut start_ms = recordings::START_MS;
    while start_ms <= last_ms {
        let end_ms = start_ms + window_ms;
        let window = PoseWindow {
            user_id: frames[0].user_id.clone(),
            start_ms,
            end_ms,
            frames: frames.iter().filter(|f| (start_ms..end_ms).contains(&f.timestamp)).cloned().collect(),
            profile: profile.cloned(),
            progress: progress.clone(),
        };
        let outcome = Assessment::of(&window);
        progress = outcome.progress;
        feedback.push(outcome.feedback);
        start_ms = end_ms;
    }
    feedback
}

fn mean_grade(feedback: &[FormFeedback]) -> f32 {
    feedback.last().and_then(|last| last.session_grade).expect("the session was graded")
}

/// The fault named in most working windows.
fn main_fault(feedback: &[FormFeedback]) -> Option<FaultKind> {
    let working = feedback.iter().filter(|f| f.phase == Phase::Working).count();
    let kinds = feedback.iter().flat_map(|f| f.faults.iter().map(|fault| fault.kind));
    let mut counts: Vec<(FaultKind, usize)> = Vec::new();
    for kind in kinds {
        match counts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((kind, 1)),
        }
    }
    counts.into_iter().filter(|(_, count)| count * 2 > working).max_by_key(|(_, count)| *count).map(|(kind, _)| kind)
}

#[test]
fn the_committed_recordings_are_what_the_generator_writes() {
    for file in recordings::generate() {
        assert!(read(&file.path) == file.content, "{} differs: run the example make_recordings", file.path);
    }
}

#[test]
fn silence_on_either_side_hides_nothing_of_the_other() {
    let (truth, insights) = insights();
    assert_eq!(windows_where(&insights, |insight| insight.silent_microphone), truth.silent_microphone);
    assert_eq!(windows_where(&insights, |insight| insight.silent_chat), truth.silent_chat);
    assert_eq!(alerted(&insights, AlertKind::SilentMicrophone), truth.silent_microphone);
    assert_eq!(alerted(&insights, AlertKind::SilentChat), truth.silent_chat);
    for window in truth.silent_microphone {
        assert!(insights[window].chats > 100 && insights[window].instruction.contains("check your microphone"));
    }
    for window in truth.silent_chat {
        assert!(insights[window].segments > 3 && insights[window].mood == MoodLabel::Silent);
        assert_eq!(insights[window].vibe_score, 50);
    }
}

#[test]
fn a_change_of_mood_is_alerted_in_its_own_window_and_nowhere_else() {
    let (truth, insights) = insights();
    assert_eq!(alerted(&insights, AlertKind::MoodDrop), [truth.mood_drop.window]);
    let insight = &insights[truth.mood_drop.window];
    let alert = insight.alerts.iter().find(|alert| alert.kind == AlertKind::MoodDrop).expect("alerted");
    assert!((alert.at_ms - truth.mood_drop.at_ms).abs() <= 5_000, "{} {}", alert.at_ms, truth.mood_drop.at_ms);
    assert!(alert.message.contains(&truth.mood_drop.about), "{}", alert.message);
    assert!(insight.instruction.contains("check your connection"), "{}", insight.instruction);
    assert!(insight.vibe_score + 20 <= insight.trend.usual_vibe_score);
    assert_eq!(insight.mood, MoodLabel::Frustrated);
}

#[test]
fn what_was_told_while_the_window_was_open_is_not_told_again_but_carried() {
    let truth: LiveTruth = truth("live_insight");
    let windows = chat_windows(&truth);
    let mut window = windows[truth.mood_drop.window].clone();
    let own = live::OfflineAnalyst::insight(&window);
    let drop = own.alerts.iter().find(|alert| alert.kind == AlertKind::MoodDrop).expect("alerted");
    let drops_with = |window: &mut ChatWindow, at_ms: i64| {
        window.told = vec![Alert { at_ms, message: "told".into(), ahead: true, ..drop.clone() }];
        let insight = live::OfflineAnalyst::insight(window);
        assert_eq!(insight.instruction, own.instruction);
        insight.alerts.into_iter().filter(|alert| alert.kind == AlertKind::MoodDrop).collect::<Vec<_>>()
    };
    let at_ms = truth.mood_drop.at_ms + 7_000;
    let carried = Alert { at_ms, ahead: true, ..drop.clone() };
    assert_eq!(drops_with(&mut window, at_ms), [carried], "one alert: when it was told, with what caused it");
    assert_eq!(drops_with(&mut window, truth.start_ms + 11 * truth.window_ms - 1), [], "told in the window before");
    assert_eq!(drops_with(&mut window, truth.start_ms + 12 * truth.window_ms), [], "told in the window after");
}

#[test]
fn a_planted_topic_is_on_top() {
    let (truth, insights) = insights();
    for topic in truth.topics {
        assert_eq!(insights[topic.window].hot_topics[0].term, topic.term);
    }
}

#[test]
fn bursts_become_clips_with_their_cause() {
    let (truth, insights) = insights();
    let clips: Vec<_> = insights.iter().flat_map(|insight| &insight.clips).collect();
    assert_eq!(clips.len(), truth.bursts.len(), "{clips:?}");
    for (clip, burst) in clips.iter().zip(&truth.bursts) {
        assert!(clip.start_ms <= burst.start_ms && burst.start_ms - clip.start_ms <= 10_000, "{clip:?}");
        assert!(clip.end_ms >= burst.end_ms - 2_000 && clip.end_ms - burst.end_ms <= 10_000, "{clip:?}");
        assert!(clip.reason.contains(&burst.phrase), "{clip:?}");
    }
    for burst in &truth.bursts {
        let window = ((burst.start_ms - truth.start_ms) / truth.window_ms) as usize;
        let best = insights[window].phrases.iter().max_by(|a, b| a.lift.total_cmp(&b.lift)).expect("speech");
        assert_eq!(best.text, burst.phrase);
        assert!(best.lift > 2.0 && best.mood > 0.3 && !best.samples.is_empty(), "{best:?}");
    }
}

#[test]
fn trolls_are_set_aside_and_do_not_spoil_the_score() {
    let (truth, insights) = insights();
    let named: BTreeSet<&str> =
        insights.iter().flat_map(|insight| &insight.outliers).map(|user| user.user_id.as_str()).collect();
    assert_eq!(named, truth.trolls.iter().map(String::as_str).collect());
    assert_eq!(alerted(&insights, AlertKind::Trolls), [0], "reported once");
    let samples: Vec<_> = insights[0].phrases.iter().flat_map(|phrase| &phrase.samples).collect();
    let hostile = |text: &str| ["garbage", "worst", "you suck"].iter().any(|word| text.contains(word));
    assert!(samples.len() > 10 && !samples.iter().any(|text| hostile(text)), "{samples:?}");
    let calm: Vec<u8> = insights[..8].iter().map(|insight| insight.vibe_score).collect();
    assert!(calm.iter().all(|vibe| *vibe >= 58), "{calm:?}");
}

#[test]
fn thinning_chat_asks_for_a_q_and_a() {
    let (truth, insights) = insights();
    assert_eq!(alerted(&insights, AlertKind::EngagementDrop), truth.engagement_drop);
    for window in truth.engagement_drop {
        let instruction = &insights[window].instruction;
        assert!(instruction.starts_with("Engagement is dropping: start your Q&A now"), "{instruction}");
    }
}

/// The texts of the messages behind a statement.
fn behind(insight: &Insight, kind: StatementKind, name: &str, at_ms: Option<i64>) -> Vec<String> {
    let is_it = |one: &Statement| one.kind == kind && one.name == name && one.at_ms == at_ms;
    let lines = insight.evidence.iter().filter(|line| line.behind.iter().any(is_it));
    lines.map(|line| line.text.to_lowercase()).collect()
}

#[test]
fn every_topic_alert_and_quoted_instruction_leads_to_messages_that_were_written() {
    let (truth, insights) = insights();
    let windows = chat_windows(&truth);
    for (window, insight) in windows.iter().zip(&insights) {
        assert!(insight.evidence.len() <= 60 && insight.evidence.is_sorted_by_key(|line| line.timestamp));
        for line in &insight.evidence {
            let is_it = |chat: &&ChatMessage| chat.user_id == line.user_id && chat.timestamp == line.timestamp;
            assert!(window.chats.iter().any(|chat| is_it(&chat) && chat.text == line.text), "{line:?}");
        }
        for topic in &insight.hot_topics {
            let lines = behind(insight, StatementKind::HotTopic, &topic.term, None);
            assert!((1..=5).contains(&lines.len()), "{} messages about {}", lines.len(), topic.term);
            let named = |line: &String| topic.term.split(' ').all(|word| line.contains(word));
            assert!(lines.iter().any(named), "{}: {lines:?}", topic.term);
        }
        for alert in insight.alerts.iter().filter(|alert| alert.kind != AlertKind::SilentChat) {
            let kind = serde_json::to_value(alert.kind).expect("serialises");
            let lines = behind(insight, StatementKind::Alert, kind.as_str().expect("a word"), Some(alert.at_ms));
            assert_eq!(lines.is_empty(), alert.kind == AlertKind::EngagementDrop, "{alert:?}: {lines:?}");
        }
        for phrase in &insight.phrases {
            let lines = behind(insight, StatementKind::Phrase, "", Some(phrase.start_ms));
            assert!(lines.len() <= 3, "{lines:?}");
        }
        let advice = behind(insight, StatementKind::Instruction, "", None);
        let quotes = insight.instruction.contains('"');
        assert!(!quotes || !advice.is_empty(), "{}", insight.instruction);
    }
    let answered = insights.iter().flat_map(|insight| insight.phrases.iter().map(move |phrase| (insight, phrase)));
    let mut answered = answered.filter(|(_, phrase)| !phrase.samples.is_empty());
    assert!(answered.any(|(insight, phrase)| {
        behind(insight, StatementKind::Phrase, "", Some(phrase.start_ms)).len() == phrase.samples.len()
    }));
    let fell = &insights[truth.mood_drop.window];
    let drop = fell.alerts.iter().find(|alert| alert.kind == AlertKind::MoodDrop).expect("told");
    let lines = behind(fell, StatementKind::Alert, "mood_drop", Some(drop.at_ms));
    assert!(lines.iter().all(|line| live::message_mood(line).valence < 0.0), "{lines:?}");
}

#[test]
fn the_languages_of_the_chat_are_recognised() {
    let (truth, insights) = insights();
    let spoken: Vec<&str> = insights[0].languages.iter().take(3).map(|share| share.language.as_str()).collect();
    assert_eq!(spoken[0], truth.languages[0]);
    assert_eq!(BTreeSet::from_iter(spoken), truth.languages.iter().map(String::as_str).collect());
}

/// The insights into the chat of many languages.
fn world() -> (WorldTruth, Vec<Insight>) {
    let truth: WorldTruth = serde_json::from_str(&read("live_insight/recordings/world/truth.json")).expect("parses");
    let chats = read("live_insight/recordings/world/chat.ndjson");
    let chats: Vec<_> = chats.lines().map(|line| parse_chat(line.as_bytes(), NOW_MS).expect("valid")).collect();
    let mut trend = StreamTrend::default();
    let insight = |window: usize| {
        let start_ms = truth.start_ms + window as i64 * truth.window_ms;
        let end_ms = start_ms + truth.window_ms;
        let inside = chats.iter().filter(|chat| (start_ms..end_ms).contains(&chat.timestamp));
        let window = ChatWindow {
            stream_id: truth.stream_id.clone(),
            start_ms,
            end_ms,
            chats: live::each_once(inside.cloned().collect()),
            segments: Vec::new(),
            trend: trend.clone(),
            told: Vec::new(),
        };
        trend.update(&window);
        live::OfflineAnalyst::insight(&window)
    };
    let insights = (0..truth.chats.len()).map(insight).collect();
    (truth, insights)
}

#[test]
fn what_a_connector_sends_again_counts_once_and_support_is_told() {
    let (truth, insights) = world();
    assert!(truth.again > 5, "something is sent again");
    // The announcer's line counts until its pauses show that a program writes it.
    let few = |(insight, people): (&Insight, &u64)| (*people..=people + 2).contains(&insight.chats);
    assert!(insights.iter().zip(&truth.chats).all(few), "{:?}", truth.chats);
    assert!(insights.iter().all(|insight| insight.clips.is_empty()), "a batch that comes again is no burst");
    for (window, insight) in insights.iter().enumerate() {
        let support = insight.support.as_ref();
        assert_eq!(support.is_some(), window == truth.support.window);
        let Some(support) = support else { continue };
        let sum = &support.sums[0];
        assert_eq!((support.paid, sum.messages, support.gifted_members), (1, 1, truth.support.gifted_members));
        assert_eq!((&sum.currency, sum.micros), (&truth.support.currency, truth.support.micros));
    }
}

#[test]
fn programs_are_left_out_of_the_chat_of_many_languages() {
    let (truth, insights) = world();
    for (window, insight) in insights.iter().enumerate() {
        // A line is known as one of a program when it came with three equal pauses.
        let known = (insight.window_start_ms - truth.start_ms) / truth.window_ms >= 2;
        assert!(!known || insight.chats == truth.chats[window], "window {window}: {}", insight.chats);
        let named: Vec<_> = insight.active_users.iter().map(|user| &user.user_id).collect();
        assert!(!named.iter().any(|user| truth.bots.contains(user)), "{named:?}");
        assert!(!known || !named.contains(&&truth.announcer), "{named:?}");
        let texts: Vec<_> = insight.top_chats.iter().map(|chat| chat.text.as_str()).collect();
        assert!(!texts.iter().any(|text| text.starts_with('!') || text.contains("shop.example")), "{texts:?}");
        assert!(!insight.hot_topics.iter().any(|topic| ["shop", "merch", "uptime"].contains(&topic.term.as_str())));
    }
}

#[test]
fn moods_and_languages_of_the_chat_of_many_languages_are_recognised() {
    let (truth, insights) = world();
    let heard: BTreeSet<String> =
        insights.iter().flat_map(|insight| &insight.languages).map(|share| share.language.clone()).collect();
    assert!(truth.languages.is_subset(&heard), "{heard:?}");
    let unhappy = windows_where(&insights, |insight| insight.vibe_score < 45);
    let glad = windows_where(&insights, |insight| insight.vibe_score > 60);
    assert_eq!((unhappy, glad), (truth.unhappy.clone(), vec![0, 1, 2, 4]));
    assert_eq!(alerted(&insights, AlertKind::MoodDrop), truth.unhappy);
}

#[test]
fn an_echo_is_one_line_whatever_ends_it() {
    let (truth, insights) = world();
    let top = &insights[truth.echo.window].top_chats[0];
    assert_eq!((top.text.as_str(), top.echoes), (truth.echo.text.as_str(), truth.echo.echoes));
    let names = insights.iter().flat_map(|insight| &insight.active_users).map(|user| &user.user_name);
    let names: Vec<_> = names.filter(|name| name.contains('\u{202e}')).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn the_series_of_a_window_adds_up_and_shows_when_the_mood_fell() {
    let (truth, insights) = insights();
    for insight in &insights {
        assert_eq!(insight.series.len(), 12);
        assert_eq!(insight.series.iter().map(|point| point.chats).sum::<u64>(), insight.chats);
        let steps = insight.series.windows(2).all(|two| two[1].at - two[0].at == 5_000);
        assert!(steps && insight.series[0].at == insight.window_start_ms);
    }
    let series = &insights[truth.mood_drop.window].series;
    let (before, after): (Vec<_>, Vec<_>) = series.iter().partition(|point| point.at < truth.mood_drop.at_ms);
    let mean = |points: &[&SeriesPoint]| points.iter().map(|point| point.mood).sum::<f64>() / points.len() as f64;
    assert!(mean(&before) - mean(&after) > 0.4, "{series:?}");
}

#[test]
fn an_insight_does_not_depend_on_the_order_of_arrival() {
    let truth: LiveTruth = truth("live_insight");
    for mut window in chat_windows(&truth) {
        let expected = live::OfflineAnalyst::insight(&window);
        window.chats.reverse();
        window.segments.reverse();
        assert_eq!(live::OfflineAnalyst::insight(&window), expected);
    }
}

#[test]
fn repetitions_are_counted_exactly_across_windows() {
    let truth: FormTruth = truth("form_coach");
    for session_truth in &truth.sessions {
        let feedback = session(session_truth, truth.window_ms, None);
        let last = feedback.last().expect("feedback");
        let counted = (last.session_repetitions, last.session_half_repetitions);
        assert_eq!(counted, (session_truth.repetitions, session_truth.half_repetitions), "{}", session_truth.name);
        let listed: usize = feedback.iter().map(|f| f.repetitions.len()).sum();
        assert_eq!(listed as u32, session_truth.repetitions + session_truth.half_repetitions, "{}", session_truth.name);
    }
}

#[test]
fn faulty_form_is_graded_below_clean_form_and_its_fault_is_named() {
    let truth: FormTruth = truth("form_coach");
    let graded: Vec<_> = truth
        .sessions
        .iter()
        .map(|session_truth| (session_truth, session(session_truth, truth.window_ms, None)))
        .collect();
    for (session_truth, feedback) in &graded {
        assert_eq!(main_fault(feedback), session_truth.fault, "{}", session_truth.name);
        let grade = mean_grade(feedback);
        if session_truth.fault.is_none() {
            assert!(grade >= 9.0, "{} got {grade}", session_truth.name);
            continue;
        }
        let clean = graded.iter().find(|(other, _)| other.fault.is_none() && other.exercise == session_truth.exercise);
        let clean = mean_grade(&clean.expect("a clean session of the exercise").1);
        assert!(grade + 2.0 <= clean, "{} got {grade}, clean got {clean}", session_truth.name);
    }
}

#[test]
fn feedback_brings_what_its_page_draws() {
    let truth: FormTruth = truth("form_coach");
    for session_truth in &truth.sessions {
        let feedback = session(session_truth, truth.window_ms, None);
        let graded: Vec<_> = feedback.iter().filter(|one| one.grade.is_some()).collect();
        let last = feedback.last().expect("feedback");
        assert_eq!(last.progress.len(), graded.len());
        for (point, of) in last.progress.iter().zip(graded) {
            assert_eq!((point.at, Some(point.grade)), (of.window_end_ms, of.grade));
        }
        for one in &feedback {
            assert!((1..=15).contains(&one.frames.len()) && one.frames.iter().all(|frame| frame.len() == 33));
            let size = serde_json::to_vec(one).expect("serialises").len();
            assert!(size < 20_000, "{size}");
            let last = one.frames.last().expect("a frame");
            for point in &one.skeleton {
                let [x, y, visibility] = last[point.part.index()];
                assert!((x - point.x).abs() < 0.001 && (y - point.y).abs() < 0.001);
                assert_eq!(visibility == 0.0, point.visibility < 0.5);
            }
        }
    }
}

#[test]
fn rest_is_not_graded() {
    let truth: FormTruth = truth("form_coach");
    let mut feedback = session(&truth.sessions[0], truth.window_ms, None);
    let mut window = PoseWindow {
        user_id: "a".into(),
        start_ms: 0,
        end_ms: 3_000,
        frames: Vec::new(),
        profile: None,
        progress: SessionProgress::default(),
    };
    assert_eq!(Assessment::of(&window).feedback.phase, Phase::OutOfSight);
    window.progress = Assessment::of(&window).progress;
    assert_eq!(window.progress.repetitions(), 0);
    let last = feedback.pop().expect("feedback");
    assert_eq!((last.phase, last.grade), (Phase::Resting, None));
}

#[test]
fn feedback_knows_the_athlete() {
    let truth: FormTruth = truth("form_coach");
    let named = |name: &str| truth.sessions.iter().find(|session| session.name == name).expect("session");
    let profile = |injuries: &[&str]| UserProfile {
        height_cm: Some(180.0),
        injuries: injuries.iter().map(ToString::to_string).collect(),
        ..UserProfile::default()
    };
    let sentence = |name: &str, profile: &UserProfile| {
        let feedback = session(named(name), truth.window_ms, Some(profile));
        feedback.into_iter().find(|f| !f.repetitions.is_empty()).expect("a repetition").sentence
    };
    let healthy = sentence("pull_ups_half", &profile(&[]));
    assert!(healthy.starts_with("Pull until your chin is over the bar") && healthy.contains(" cm "), "{healthy}");
    let injured = sentence("pull_ups_half", &profile(&["left shoulder"]));
    assert!(injured.starts_with("Stay in the range without pain for your left shoulder"), "{injured}");
    let swinging = sentence("pull_ups_swinging", &profile(&["left shoulder"]));
    assert!(swinging.contains("which loads your left shoulder"), "{swinging}");

    let grade = |profile| mean_grade(&session(named("pull_ups_swinging"), truth.window_ms, Some(profile)));
    assert!(grade(&profile(&["left shoulder"])) < grade(&profile(&[])));
}

#[test]
fn a_wide_picture_is_measured_like_a_square_one() {
    let truth: FormTruth = truth("form_coach");
    let session_truth = truth.sessions.iter().find(|session| session.exercise == "squat").expect("squats");
    let square = frames(session_truth);
    let mut wide = square.clone();
    for frame in &mut wide {
        frame.aspect_ratio = Some(16.0 / 9.0);
        for point in &mut frame.landmarks {
            point.x /= 16.0 / 9.0;
            point.z /= 16.0 / 9.0;
        }
    }
    let (square, wide) = (coached(&square, truth.window_ms, None), coached(&wide, truth.window_ms, None));
    for (square, wide) in square.iter().zip(&wide) {
        assert_eq!((&square.repetitions, square.grade), (&wide.repetitions, wide.grade));
    }
}

#[test]
fn feedback_does_not_depend_on_the_order_of_frames_nor_on_repeats() {
    let truth: FormTruth = truth("form_coach");
    for session_truth in &truth.sessions {
        let ordered = frames(session_truth);
        let mut shuffled: Vec<PoseFrame> = ordered.iter().rev().cloned().collect();
        shuffled.extend(ordered.iter().step_by(7).cloned());
        shuffled.push(ordered[ordered.len() - 1].clone());
        assert_eq!(coached(&shuffled, truth.window_ms, None), coached(&ordered, truth.window_ms, None));
    }
}

#[test]
fn an_exercise_without_rules_shows_angles_and_no_grade() {
    let truth: FormTruth = truth("form_coach");
    let mut frames = frames(&truth.sessions[0]);
    for frame in &mut frames {
        frame.exercise = "muscle_up".into();
    }
    let feedback = coached(&frames, truth.window_ms, None);
    assert!(feedback.iter().all(|f| f.grade.is_none() && f.joints.len() == 8 && f.sentence.contains("muscle_up")));
}

#[test]
fn what_crosses_the_engine_survives_serialisation() {
    let truth: LiveTruth = truth("live_insight");
    for window in chat_windows(&truth) {
        let json = serde_json::to_vec(&window).expect("serialises");
        let again: ChatWindow = serde_json::from_slice(&json).expect("parses");
        assert_eq!(live::OfflineAnalyst::insight(&again), live::OfflineAnalyst::insight(&window));
        let insight = live::OfflineAnalyst::insight(&window);
        let json = serde_json::to_vec(&insight).expect("serialises");
        assert_eq!(serde_json::from_slice::<Insight>(&json).expect("parses"), insight);
    }
}
