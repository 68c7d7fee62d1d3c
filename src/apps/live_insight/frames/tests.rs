//! Frames of the recorded stream, compared with the stream itself.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use tidemill_schemas::{ChatMessage, Insight, parse_chat, parse_transcript};

use super::*;
use crate::apps::recordings::{START_MS, insights};

const MINUTE_MS: i64 = 60_000;
const NOW_MS: i64 = START_MS + 86_400_000;

static CHATS: LazyLock<Vec<ChatMessage>> = LazyLock::new(|| {
    let lines = include_str!("../recordings/chat.ndjson").lines();
    lines.map(|line| parse_chat(line.as_bytes(), NOW_MS).expect("valid")).collect()
});

/// The recorded stream: 20 windows.
static STREAM: LazyLock<Vec<Insight>> = LazyLock::new(|| {
    let lines = include_str!("../recordings/transcript.ndjson").lines();
    let segments: Vec<_> = lines.map(|line| parse_transcript(line.as_bytes(), NOW_MS).expect("valid")).collect();
    insights(&CHATS, &segments, START_MS, MINUTE_MS)
});

fn view(range: &str) -> FrameView {
    frame(STREAM.iter(), range.parse().expect("a range")).expect("windows")
}

/// The chats of the stream's minutes `from..to`.
fn said(from: i64, to: i64) -> impl Iterator<Item = &'static ChatMessage> {
    let inside = move |at: i64| (from..to).contains(&((at - START_MS) / MINUTE_MS));
    CHATS.iter().filter(move |chat| inside(chat.timestamp))
}

#[test]
fn a_frame_counts_what_the_messages_themselves_give() {
    for (range, from) in [("5m", 15), ("15m", 5), ("60m", 0), ("all", 0)] {
        let FrameView { insight, note } = view(range);
        assert_eq!(insight.chats, said(from, 20).count() as u64, "{range}");
        let users = said(from, 20).map(|chat| &chat.user_id).collect::<BTreeSet<_>>().len() as u64;
        assert_eq!((note.users.least, insight.users, note.users.most), (users, users, users), "{range}");
        assert_eq!(insight.series.iter().map(|point| point.chats).sum::<u64>(), insight.chats, "{range}");
        assert_eq!(note.windows as i64, 20 - from);
        assert_eq!(
            (insight.window_start_ms, insight.window_end_ms),
            (START_MS + from * MINUTE_MS, START_MS + 20 * MINUTE_MS)
        );
    }
}

#[test]
fn the_bounds_of_the_most_active_authors_hold() {
    for (range, from) in [("5m", 15), ("15m", 5), ("all", 0)] {
        let FrameView { insight, note } = view(range);
        assert_eq!(insight.active_users.len(), 5);
        let wrote = |id: &str| said(from, 20).filter(|chat| chat.user_id == id).count() as u64;
        for (user, most) in insight.active_users.iter().zip(&note.active_users) {
            let truth = wrote(&user.user_id);
            assert!((user.chats..=most.at_most).contains(&truth), "{range} {user:?} {most:?} {truth}");
        }
        let listed: BTreeSet<&str> = STREAM[from as usize..]
            .iter()
            .flat_map(|window| window.active_users.iter().chain(&window.remainder.as_ref().expect("new").active_users))
            .map(|user| user.user_id.as_str())
            .collect();
        let others = said(from, 20).map(|chat| chat.user_id.as_str()).filter(|id| !listed.contains(id));
        assert!(others.map(wrote).max().unwrap_or(0) <= note.others_at_most, "{range}");
    }
}

#[test]
fn a_frame_is_the_same_however_its_windows_are_grouped() {
    let of = |windows: &[Insight]| Frame::of_all(windows).expect("windows");
    let whole = of(&STREAM).view();
    for cut in [1, 7, 13, 19] {
        let (mut early, late) = (of(&STREAM[..cut]), of(&STREAM[cut..]));
        let mut late_first = late.clone();
        late_first.merge(&early);
        early.merge(&late);
        assert_eq!(early.view(), whole, "{cut}");
        assert_eq!(late_first.view(), whole, "{cut}, the later part first");
    }
    let mut one_by_one = Frame::of(&STREAM[0]);
    STREAM[1..].iter().for_each(|window| one_by_one.merge(&Frame::of(window)));
    assert_eq!(one_by_one.view(), whole);
}

#[test]
fn the_view_of_one_window_is_its_insight() {
    for insight in STREAM.iter() {
        assert_eq!(&Frame::of(insight).view().insight, insight);
    }
}

#[test]
fn only_a_voice_that_was_there_before_is_missed_in_a_frame() {
    let chats = &CHATS[..CHATS.len() / 2];
    let silent = insights(chats, &[], START_MS, MINUTE_MS);
    assert!(silent.len() > 1);
    let of = |insights: &[Insight]| frame(insights.iter(), "all".parse().expect("a range")).expect("windows").insight;
    assert!(!of(&silent).silent_microphone, "nobody ever spoke");
    let mut missed = silent;
    missed[1].silent_microphone = true;
    assert!(of(&missed).silent_microphone);
}

#[test]
fn a_topic_of_two_windows_is_one_topic_of_their_frame() {
    let between = format!("{}..{}", START_MS + 5 * MINUTE_MS, START_MS + 7 * MINUTE_MS);
    let FrameView { insight, note } = view(&between);
    let at =
        insight.hot_topics.iter().position(|topic| topic.term == "water temple").expect("the topic of both windows");
    let in_window =
        |place: usize| STREAM[place].hot_topics.iter().find(|topic| topic.term == "water temple").expect("hot");
    assert_eq!(insight.hot_topics[at].chats, in_window(5).chats + in_window(6).chats);
    assert_eq!(note.hot_topics[at].windows, 2);
    assert!(insight.evidence.iter().any(|line| line.behind.iter().any(|statement| statement.name == "water temple")));
}

#[test]
fn the_phrase_that_moved_the_chat_most_is_in_the_frame_of_the_whole_stream() {
    let FrameView { insight, note } = view("all");
    let most = insight.phrases.iter().max_by(|a, b| a.lift.total_cmp(&b.lift)).expect("phrases");
    assert!(most.text.contains("chicken") || most.text.contains("world record"), "{most:?}");
    assert!(insight.phrases.len() <= 100 && note.phrases >= insight.phrases.len() as u64);
    assert!(insight.phrases.is_sorted_by_key(|phrase| phrase.start_ms));
}

#[test]
fn windows_that_are_missing_are_told() {
    let some: Vec<Insight> =
        STREAM.iter().filter(|window| window.chats > 500 || window.segments > 0).cloned().collect();
    let FrameView { note, .. } = frame(&some, Range::Whole).expect("windows");
    assert_eq!(note.gaps, [Gap { from_ms: START_MS + 8 * MINUTE_MS, to_ms: START_MS + 10 * MINUTE_MS }]);
    assert_eq!(note.covered_ms, 18 * MINUTE_MS);
}

#[test]
fn results_of_earlier_versions_give_a_range_and_not_a_wrong_number() {
    let mut old = STREAM.clone();
    for window in &mut old {
        window.remainder = None;
    }
    let FrameView { insight, note } = frame(&old, Range::Whole).expect("windows");
    let users = said(0, 20).map(|chat| &chat.user_id).collect::<BTreeSet<_>>().len() as u64;
    assert!(note.users.least <= users && users <= note.users.most && note.users.least < note.users.most, "{note:?}");
    for (user, most) in insight.active_users.iter().zip(&note.active_users) {
        let wrote = said(0, 20).filter(|chat| chat.user_id == user.user_id).count() as u64;
        assert!((user.chats..=most.at_most).contains(&wrote));
    }
}

#[test]
fn a_result_that_was_published_again_counts_once() {
    let mut again = STREAM.clone();
    again.push(Insight { top_chats: Vec::new(), withdrawn: 1, ..STREAM[3].clone() });
    let FrameView { insight, .. } = frame(&again, Range::Whole).expect("windows");
    assert_eq!(insight.chats, view("all").insight.chats);
    assert_eq!(insight.withdrawn, 1);
}

#[test]
fn windows_whose_lists_are_whole_give_exact_numbers() {
    // The lists of these windows have no authors in common, and none is cut off.
    let chat = |user: usize, minute: i64| ChatMessage {
        stream_id: "small".into(),
        user_id: format!("u{user}"),
        text: format!("hello {user}"),
        timestamp: START_MS + minute * MINUTE_MS,
        ..ChatMessage::default()
    };
    let chats: Vec<_> = (0..40).flat_map(|user| vec![chat(user, user as i64 / 10); user % 10 + 1]).collect();
    let FrameView { insight, note } =
        frame(&insights(&chats, &[], START_MS, MINUTE_MS), Range::Whole).expect("windows");
    assert_eq!((note.others_at_most, note.users), (0, Bounds { least: 40, most: 40 }));
    for (user, most) in insight.active_users.iter().zip(&note.active_users) {
        assert_eq!((user.chats, most.at_most), (if user.user_id.ends_with('9') { 10 } else { 9 }, user.chats));
    }
}

#[test]
fn a_large_crowd_gives_an_estimate_with_its_range() {
    let crowd = |from: usize, to: usize, at_ms: i64| -> Vec<ChatMessage> {
        let chat = |user: usize| ChatMessage {
            stream_id: "big".into(),
            user_id: format!("u{user}"),
            text: "hello".into(),
            timestamp: START_MS + at_ms,
            ..ChatMessage::default()
        };
        (from..to).map(chat).collect()
    };
    let chats = [crowd(0, 3000, 0), crowd(1500, 4500, MINUTE_MS)].concat();
    let FrameView { insight, note } =
        frame(&insights(&chats, &[], START_MS, MINUTE_MS), Range::Whole).expect("windows");
    assert!(note.users.least <= 4500 && 4500 <= note.users.most, "{:?}", note.users);
    assert!((insight.users as f64 / 4500.0 - 1.0).abs() < 0.15, "{}", insight.users);
}

#[test]
fn ranges_are_read_and_wrong_ones_are_explained() {
    assert_eq!("15m".parse(), Ok(Range::Last(15 * MINUTE_MS)));
    assert_eq!("2h".parse(), Ok(Range::Last(120 * MINUTE_MS)));
    assert_eq!("all".parse(), Ok(Range::Whole));
    assert_eq!("5..9".parse(), Ok(Range::Between(5, 9)));
    for wrong in ["", "m", "0m", "-5m", "9..5", "..", "15", "15d", "99999999999999999m", "1..x"] {
        let error = wrong.parse::<Range>().expect_err(wrong).to_string();
        assert!(error.contains("Write 5m, 15m"), "{error}");
    }
}
