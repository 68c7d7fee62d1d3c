//! YouTube's chat loses nothing and brings nothing twice, whatever goes wrong, streamed and polled.

#![allow(clippy::unwrap_used)]

mod harness;

use std::sync::Arc;

use harness::{FakeClock, Faults, START, assert_all_as, clock, expected, read, source};
use tidemill_chat::{ChatError, ChatEvent, MembershipKind, Platform, Secret, State, Youtube};
use tidemill_chat_servers::{Broadcast, Fault, Kind, Line, Rates, Schedule, YoutubeServer, crowd};

const RATES: Rates = Rates {
    unavailable: 0.1,
    rate_limited: 0.1,
    cut: 0.15,
    duplicated: 0.3,
    replayed: 0.3,
    // Each time, all of the history comes again.
    forgotten: 0.02,
    moved: 0.1,
};
/// The last one strikes streams only.
const ALL: [Fault; 7] = [
    Fault::Unavailable,
    Fault::RateLimited,
    Fault::Cut,
    Fault::Duplicated,
    Fault::Replayed,
    Fault::Forgotten,
    Fault::Moved,
];
const WATCH: &str = "https://www.youtube.com/watch?v=video-1";

fn post(server: &YoutubeServer, lines: usize) {
    server.post(crowd(5, lines, START));
    server.end();
}

fn youtube(server: &YoutubeServer, clock: &Arc<FakeClock>) -> Arc<Youtube> {
    let url = server.url();
    Arc::new(Youtube::with_api_key(Secret::value("k3y")).servers(&url, &url).clock(clock.clone()))
}

/// YouTube tells no text of those that join or give, and its viewers cannot answer a message.
fn told(line: &Line) -> ChatEvent {
    let mut event = expected(line);
    if let ChatEvent::Message(message) = &mut event {
        message.reply_to = None;
        let kind = message.membership.as_ref().map(|membership| membership.kind);
        if matches!(kind, Some(MembershipKind::New | MembershipKind::Gift)) {
            message.text.clear();
        }
    }
    event
}

#[tokio::test]
async fn the_stream_brings_every_line_once_through_faults_and_moves() {
    let mut faults = Faults::default();
    for seed in 0..6 {
        let server = YoutubeServer::start(Schedule {
            seed,
            rates: RATES,
            most: 10,
            token: Some("k3y".into()),
            ..Schedule::default()
        });
        post(&server, 400);
        let clock = clock();
        let moves = (seed % 2 == 1).then_some(5);
        let read = read(youtube(&server, &clock), &source(WATCH), clock, moves).await;
        let log = server.log();
        assert_all_as(&read.events, &log.posted, told);
        faults.add(&log);
    }
    faults.assert_struck(&ALL);
}

#[tokio::test]
async fn polling_brings_every_line_once_through_faults_and_moves() {
    let mut faults = Faults::default();
    for seed in 0..6 {
        let server = YoutubeServer::start(Schedule { seed, rates: RATES, most: 10, ..Schedule::default() });
        post(&server, 400);
        let clock = clock();
        let moves = (seed % 2 == 1).then_some(5);
        let source = source(WATCH).option("transport", "poll");
        let read = read(youtube(&server, &clock), &source, clock, moves).await;
        assert_all_as(&read.events, &server.log().posted, told);
        faults.add(&server.log());
    }
    faults.assert_struck(&ALL[..6]);
}

#[tokio::test]
async fn a_stream_that_ends_in_order_is_opened_again_without_a_word() {
    let rates = Rates { moved: 0.5, ..Rates::default() };
    let server = YoutubeServer::start(Schedule { rates, most: 10, ..Schedule::default() });
    post(&server, 200);
    let clock = clock();
    let read = read(youtube(&server, &clock), &source(WATCH), clock, None).await;
    assert_all_as(&read.events, &server.log().posted, told);
    assert!(server.log().struck(Fault::Moved) > 1);
    assert_eq!(read.states, [State::Resolving, State::Connected, State::Ended]);
}

#[tokio::test]
async fn a_position_that_the_server_has_forgotten_begins_anew_and_brings_nothing_twice() {
    let mut faults = Faults::default();
    for (seed, transport) in [(1, "stream"), (2, "poll"), (3, "stream"), (4, "poll")] {
        let rates = Rates { forgotten: 0.05, moved: 0.2, cut: 0.05, ..Rates::default() };
        let server = YoutubeServer::start(Schedule { seed, rates, most: 40, ..Schedule::default() });
        post(&server, 1_000);
        let clock = clock();
        let source = source(WATCH).option("transport", transport);
        let read = read(youtube(&server, &clock), &source, clock, Some(6)).await;
        assert_all_as(&read.events, &server.log().posted, told);
        faults.add(&server.log());
    }
    faults.assert_struck(&[Fault::Forgotten]);
}

#[tokio::test]
async fn a_server_without_streams_is_polled() {
    let server = YoutubeServer::without_streams(Schedule::default());
    post(&server, 100);
    let clock = clock();
    let read = read(youtube(&server, &clock), &source(WATCH), clock, None).await;
    assert_all_as(&read.events, &server.log().posted, told);
}

#[tokio::test]
async fn a_token_that_expires_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let schedule = Schedule {
        token: Some("t0p-secret".into()),
        token_file: Some(file.clone()),
        token_lasts: Some(4),
        ..Schedule::default()
    };
    let server = YoutubeServer::start(schedule);
    post(&server, 300);
    let (clock, url) = (clock(), server.url());
    let platform = Youtube::with_oauth(Secret::file(file)).servers(&url, &url).clock(clock.clone());
    let source = source(WATCH).option("transport", "poll");
    let read = read(Arc::new(platform), &source, clock, None).await;
    assert_all_as(&read.events, &server.log().posted, told);
    assert!(server.log().struck(Fault::Expired) > 1);
    assert!(!format!("{:?}", read.states).contains("t0p-secret"));
}

#[tokio::test]
async fn a_channel_leads_to_what_it_streams_now() {
    for url in ["https://www.youtube.com/@ada/live", "https://www.youtube.com/channel/UC-ada"] {
        let server = YoutubeServer::start(Schedule::default());
        post(&server, 20);
        let clock = clock();
        let read = read(youtube(&server, &clock), &source(url), clock, None).await;
        assert_eq!(read.events.len(), 20, "{url}: {:?}", read.states);
    }
}

#[tokio::test]
async fn what_a_stream_does_is_told() {
    let server = YoutubeServer::start(Schedule { token: Some("k3y".into()), ..Schedule::default() });
    let clock = clock();
    let platform = youtube(&server, &clock);
    server.set(Broadcast::Upcoming(START + 7_200_000));
    let upcoming = platform.open(&source(WATCH), None).await.err();
    assert!(matches!(upcoming, Some(ChatError::NotLive { starts_at_ms: Some(ms), .. }) if ms == START + 7_200_000));
    let nothing = platform.open(&source("https://www.youtube.com/watch?v=unknown"), None).await.err();
    assert!(matches!(nothing, Some(ChatError::Refused { .. })));
    let no_stream = platform.open(&source("https://www.youtube.com/watch?v=video-0"), None).await.err();
    assert!(matches!(no_stream, Some(ChatError::Refused { reason, .. }) if reason.contains("no live stream")));
    server.set(Broadcast::WithoutChat);
    let silent = platform.open(&source(WATCH), None).await.err();
    assert!(matches!(silent, Some(ChatError::Refused { reason, .. }) if reason.contains("no chat")));
    server.set(Broadcast::Over);
    let over = read(platform.clone(), &source(WATCH), clock.clone(), None).await;
    assert_eq!(over.states.last(), Some(&State::Ended));
    server.set(Broadcast::Live);
    let url = server.url();
    let wrong = Youtube::with_api_key(Secret::value("wr0ng")).servers(&url, &url);
    let Some(ChatError::Refused { reason, remedy }) = wrong.open(&source(WATCH), None).await.err() else { panic!() };
    assert!(remedy.contains("API key") && !format!("{reason} {remedy}").contains("wr0ng"));
    let given = source(WATCH).option("live_chat_id", "gone");
    assert!(matches!(platform.open(&given, None).await.err(), Some(ChatError::Refused { .. })));
}

#[tokio::test]
async fn lines_that_come_later_reach_a_reader_that_waits() {
    let server = YoutubeServer::start(Schedule::default());
    let clock = clock();
    let lines = crowd(9, 30, START);
    assert!(lines.iter().any(|line| !matches!(line.kind, Kind::Text)));
    server.post(lines[..10].to_vec());
    let platform = youtube(&server, &clock);
    let reading = tokio::spawn(async move { read(platform, &source(WATCH), clock, None).await });
    server.post(lines[10..20].to_vec());
    tokio::task::yield_now().await;
    server.post(lines[20..].to_vec());
    server.end();
    assert_all_as(&reading.await.unwrap().events, &lines, told);
}
