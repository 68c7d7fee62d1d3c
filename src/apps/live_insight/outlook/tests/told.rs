//! What is told, and what became of it.

use tidemill_schemas::Insight;

use super::{super::forecast::beliefs, super::*, MINUTE_MS, newest, stream, window};
use crate::apps::recordings::{START_MS, evening, insights};

#[test]
fn a_steady_stream_goes_on_and_the_confidence_grows() {
    let short = newest(&stream([60; 6]));
    let long = newest(&stream([60; 40]));
    assert_eq!((long.advice.action, long.engagement.momentum), (Action::KeepGoing, Momentum::Steady));
    assert!((long.engagement.expected - 1.0).abs() < 0.05, "{long:?}");
    assert!(long.advice.confidence > short.advice.confidence, "{short:?} {long:?}");
    assert_eq!((long.at_ms, long.until_ms), (START_MS + 40 * MINUTE_MS, START_MS + 45 * MINUTE_MS));
}

#[test]
fn a_chat_that_falls_asks_for_a_question_round_and_one_that_died_for_an_end() {
    let falls = newest(&stream([60; 20].into_iter().chain([52, 45, 38, 33, 28, 24])));
    assert_eq!((falls.advice.action, falls.engagement.momentum), (Action::Questions, Momentum::Falling), "{falls:?}");
    let dies = [60; 30].into_iter().chain([40, 25, 15, 10, 6, 4, 3, 2, 2, 1]);
    let dead = newest(&stream(dies));
    assert_eq!(dead.advice.action, Action::End, "{dead:?}");
}

#[test]
fn a_happy_chat_above_the_usual_is_the_time_for_a_promotion() {
    let prediction = newest(&stream([60; 20].into_iter().chain([75, 90, 100, 105, 110, 110])));
    assert!(prediction.promotion.now, "{prediction:?}");
    assert_eq!(prediction.advice.action, Action::Promote);
    let mut angry = stream([60; 20].into_iter().chain([75, 90, 100, 105, 110, 110]));
    for window in &mut angry {
        window.vibe_score = 30;
    }
    assert!(!newest(&angry).promotion.now, "an angry chat buys nothing");
}

#[test]
fn those_who_stopped_are_named_and_a_usual_share_is_no_news() {
    let stays = |minute| window(minute, 60, 0..40);
    let mut stream: Vec<Insight> = (0..20).map(stays).collect();
    stream.extend((20..25).map(|minute| window(minute, 52, 12..40)));
    let prediction = newest(&stream);
    let churn = prediction.churn.clone().expect("enough windows");
    assert_eq!((churn.share, churn.usual_share, churn.stopped), (0.3, 0.0, 12), "{prediction:?}");
    assert!(churn.users.iter().all(|user| user.user_id[1..].parse::<usize>().expect("a number") < 12), "{churn:?}");
    assert_eq!(prediction.advice.action, Action::WinBack);
    assert!(prediction.advice.instruction.contains("User 0"), "{}", prediction.advice.instruction);
    assert_eq!(newest(&stream[..20]).advice.action, Action::KeepGoing);
}

#[test]
fn results_of_earlier_versions_tell_no_churn_and_all_else() {
    let mut old = stream([60; 20]);
    for window in &mut old {
        window.remainder = None;
    }
    let prediction = newest(&old);
    assert_eq!((prediction.churn, prediction.advice.action), (None, Action::KeepGoing));
}

#[test]
fn one_silent_minute_is_not_the_end() {
    let prediction = newest(&stream([60; 20].into_iter().chain([0])));
    assert!(prediction.engagement.expected > 0.9, "{prediction:?}");
    let away = newest(&stream([60; 20].into_iter().chain([0; 6])));
    assert!(away.engagement.expected < 0.2, "{away:?}");
}

#[test]
fn a_burst_is_not_taken_for_a_livelier_chat() {
    let mut with_burst = stream([60; 21]);
    let last = with_burst.last_mut().expect("windows");
    last.chats = 160;
    let start_ms = last.window_start_ms + 20_000;
    last.spikes =
        vec![tidemill_schemas::Spike { start_ms, end_ms: start_ms + 10_000, chats: 110, ratio: 11.0, mood: 0.5 }];
    assert!((newest(&with_burst).engagement.expected - 1.0).abs() < 0.1);
}

#[test]
fn a_prediction_knows_only_the_windows_before_it() {
    let evening = evening(3);
    let all = insights(&evening.chats, &evening.segments, START_MS, MINUTE_MS);
    let all: Vec<&Insight> = all.iter().collect();
    let told = told(&all);
    for until in [10, 25, 40] {
        let then = super::super::told(&all[..until]);
        assert_eq!(then.last().map(|told| &told.prediction), told.get(until - 3).map(|told| &told.prediction));
    }
}

#[test]
fn a_claim_comes_true_by_the_windows_of_its_time_only() {
    let claim = Claim {
        from_ms: START_MS + 5 * MINUTE_MS,
        until_ms: START_MS + 10 * MINUTE_MS,
        side: Side::Above,
        chats_per_second: 1.0,
    };
    let lively = stream([0, 0, 0, 0, 0, 60, 60, 60, 60, 60, 0, 0]);
    assert_eq!(claim.outcome(&lively), Outcome::CameTrue { chats_per_second: 1.0 });
    assert_eq!(claim.outcome(&lively[..9]), Outcome::Open, "its time is not over");
    let calm = stream([90, 90, 90, 90, 90, 60, 60, 60, 60, 59, 90]);
    assert!(matches!(claim.outcome(&calm), Outcome::DidNot { .. }));
    let mut missing = lively.clone();
    missing.drain(6..9);
    assert_eq!(claim.outcome(&missing), Outcome::Open, "two of five windows are too few");
}

#[test]
fn a_stream_after_a_pause_starts_anew() {
    let mut two = stream([600; 20]);
    two.extend((200..210).map(|minute| window(minute, 60, 0..20)));
    let outlook = outlook(&two, 100).expect("windows");
    assert_eq!(outlook.prediction.advice.action, Action::KeepGoing, "{outlook:?}");
    assert!(outlook.earlier.iter().all(|told| told.prediction.at_ms > START_MS + 200 * MINUTE_MS));
    assert!(super::super::outlook(&stream([60; 2]), 0).is_none(), "two windows are too few");
}

#[test]
fn earlier_predictions_are_judged() {
    let outlook = outlook(&stream([60; 20]), 3).expect("windows");
    assert_eq!((outlook.judged, outlook.came_true, outlook.earlier.len()), (13, 13, 3));
    let json = serde_json::to_value(&outlook.earlier[2]).expect("serialises");
    assert_eq!(json["outcome"], "open", "{json}");
    assert_eq!(serde_json::from_value::<Told>(json).expect("reads"), outlook.earlier[2]);
}

#[test]
fn empty_and_odd_windows_give_no_odd_numbers() {
    let mut odd = stream([0, 0, 0, 0, 1, 0, 0, u64::from(u32::MAX), 0, 3]);
    odd[2].window_end_ms = odd[2].window_start_ms;
    odd[4].spikes = vec![tidemill_schemas::Spike { start_ms: 5, end_ms: 1, chats: 99, ratio: 1.0, mood: 0.0 }];
    for prediction in told(&odd.iter().collect::<Vec<_>>()).into_iter().map(|told| told.prediction) {
        let Engagement { now, usual, expected, least, most, .. } = prediction.engagement;
        assert!([now, usual, expected, least, most].iter().all(|rate| rate.is_finite()), "{prediction:?}");
        assert!((0.0..=1.0).contains(&prediction.advice.confidence), "{prediction:?}");
    }
    let steps = course::steps(&[]);
    assert!(beliefs(&steps, 5).is_empty());
}

#[test]
fn a_chat_without_messages_has_no_usual_rate_that_it_could_fall_below() {
    let prediction = newest(&stream([0; 30]));
    assert_eq!(prediction.engagement.usual.to_bits(), 0.0_f64.to_bits(), "{prediction:?}");
    assert_eq!((prediction.advice.action, prediction.advice.claim.side), (Action::KeepGoing, Side::Below));
    assert!(prediction.advice.claim.holds(0.0), "that the silence lasts can come true: {prediction:?}");
}

#[test]
fn where_a_window_needs_a_message_no_claim_comes_true_whatever_happens() {
    let mut quiet = stream([1; 30]);
    for window in &mut quiet {
        window.segments = 0;
    }
    // Each minute without a message has no window. So every rate that is seen is at least this.
    let least = 1.0 / 60.0;
    for told in super::super::told(&quiet.iter().collect::<Vec<_>>()) {
        assert!(told.prediction.advice.claim.chats_per_second > least, "{told:?}");
    }
}

#[test]
fn what_becomes_of_earlier_streams_is_not_counted_among_the_predictions_of_this_one() {
    let mut streams = stream([60; 20]);
    streams.extend((200..210).map(|minute| window(minute, 60, 0..20)));
    let alone = outlook(&streams[20..], 100).expect("windows");
    let after_another = outlook(&streams, 100).expect("windows");
    assert_eq!((after_another.judged, after_another.came_true), (alone.judged, alone.came_true));
    assert!(after_another.prediction.advice.confidence > alone.prediction.advice.confidence, "it taught something");
}
