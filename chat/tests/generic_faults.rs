//! Chats over HTTP and over a WebSocket lose nothing and bring nothing twice, whatever goes wrong.

#![allow(clippy::unwrap_used)]

mod harness;

use std::sync::Arc;

use harness::{Faults, START, assert_all, clock, expected, read, source};
use tidemill_chat::{Generic, Secret, State};
use tidemill_chat_servers::{Fault, GenericServer, Rates, Schedule, crowd};

const ALL: [Fault; 5] = [Fault::Unavailable, Fault::RateLimited, Fault::Cut, Fault::Duplicated, Fault::Replayed];
const RATES: Rates = Rates {
    unavailable: 0.1,
    rate_limited: 0.1,
    cut: 0.15,
    duplicated: 0.3,
    replayed: 0.3,
    forgotten: 0.0,
    moved: 0.0,
};

fn server(schedule: Schedule, lines: usize) -> GenericServer {
    let server = GenericServer::start(schedule);
    server.post(crowd(server.log().requests + 11, lines, START));
    server.end();
    server
}

#[tokio::test]
async fn polling_brings_every_line_once_through_faults_and_moves() {
    let mut faults = Faults::default();
    for seed in 0..6 {
        let server = server(Schedule { seed, rates: RATES, most: 10, ..Schedule::default() }, 400);
        let clock = clock();
        let platform = Arc::new(Generic::new().clock(clock.clone()));
        let source = source(&server.polled()).option("fields", serde_json::json!({ "timestamp": "time" }));
        let moves = (seed % 2 == 1).then_some(5);
        let read = read(platform, &source, clock, moves).await;
        let log = server.log();
        assert_all(&read.events, &log.posted);
        assert_eq!(log.whole().len(), log.posted.len());
        faults.add(&log);
        assert_eq!(moves.is_some(), read.moves > 0);
    }
    faults.assert_struck(&ALL);
}

#[tokio::test]
async fn a_websocket_brings_every_line_once_through_faults_and_moves() {
    let mut faults = Faults::default();
    for seed in 0..6 {
        let rates = Rates { cut: 0.02, duplicated: 0.1, ..RATES };
        let server = server(Schedule { seed, rates, ..Schedule::default() }, 400);
        let clock = clock();
        let platform = Arc::new(Generic::new().clock(clock.clone()));
        let source = source(&server.socket()).option("cursor_parameter", "cursor");
        let moves = (seed % 2 == 1).then_some(50);
        let read = read(platform, &source, clock, moves).await;
        let log = server.log();
        assert_all(&read.events, &log.posted);
        faults.add(&log);
    }
    faults.assert_struck(&ALL);
}

#[tokio::test]
async fn history_that_a_server_without_positions_tells_anew_comes_once_also_after_a_move() {
    // A cursor is of no use to a server that does not take it.
    for cursor in ["none", "cursor"] {
        let server = server(Schedule { rates: Rates { cut: 0.004, ..Rates::default() }, ..Schedule::default() }, 200);
        let clock = clock();
        let platform = Arc::new(Generic::new().clock(clock.clone()));
        let read = read(platform, &source(&server.socket()).option("cursor", cursor), clock, Some(40)).await;
        let log = server.log();
        assert_all(&read.events, &log.posted);
        assert!(log.struck(Fault::Cut) > 0 && read.moves > 0 && log.repeated() > 150);
    }
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
    let server = server(schedule, 300);
    let clock = clock();
    let platform = Arc::new(Generic::new().clock(clock.clone()).token("127.0.0.1", Secret::file(file)));
    let read = read(platform, &source(&server.polled()), clock, None).await;
    let log = server.log();
    assert_all(&read.events, &log.posted);
    assert!(log.struck(Fault::Expired) > 1);
    assert!(!format!("{:?}", read.states).contains("t0p-secret"));
}

#[tokio::test]
async fn a_wrong_token_is_told_with_a_remedy_and_without_the_token() {
    let server = server(Schedule { token: Some("right".into()), ..Schedule::default() }, 10);
    let clock = clock();
    let platform = Arc::new(Generic::new().clock(clock.clone()).token("127.0.0.1", Secret::value("wr0ng")));
    for url in [server.polled(), server.socket()] {
        let read = read(platform.clone(), &source(&url), clock.clone(), None).await;
        let Some(State::Refused { reason, remedy }) = read.states.last() else { panic!("{read:?}") };
        assert!(remedy.contains("token") && !reason.contains("wr0ng") && !remedy.contains("wr0ng"), "{reason}");
    }
}

#[tokio::test]
async fn a_clock_that_is_ahead_makes_nothing_come_twice() {
    let schedule = Schedule { seed: 1, rates: RATES, skew_ms: 90_000, ..Schedule::default() };
    let server = server(schedule, 200);
    // The last line is written now.
    let clock = harness::FakeClock::at(START + 100_000);
    let platform = Arc::new(Generic::new().clock(clock.clone()));
    let read = read(platform, &source(&server.polled()), clock, None).await;
    let ids: Vec<_> = read.events.iter().filter_map(harness::id).collect();
    assert_eq!(
        ids,
        server.log().posted.iter().map(expected).filter_map(|event| harness::id(&event)).collect::<Vec<_>>()
    );
    assert_eq!(read.events.len(), 200);
}
