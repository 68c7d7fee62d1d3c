//! Twitch's chat loses nothing that Twitch sent, and brings nothing twice, whatever goes wrong, by EventSub and by IRC.

#![allow(clippy::unwrap_used)]

mod harness;

use std::{collections::BTreeSet, sync::Arc};

use harness::{FakeClock, Faults, START, clock, expected, read, read_until, source};
use tidemill_chat::{ChatError, ChatEvent, Platform, Secret, State, Twitch, TwitchServers};
use tidemill_chat_servers::{Fault, Kind, Line, Rates, Schedule, TwitchServer, crowd};

const RATES: Rates = Rates {
    unavailable: 0.05,
    rate_limited: 0.05,
    cut: 0.02,
    duplicated: 0.1,
    replayed: 0.5,
    forgotten: 0.0,
    moved: 0.03,
};
const ALL: [Fault; 5] = [Fault::Unavailable, Fault::Cut, Fault::Duplicated, Fault::Replayed, Fault::Moved];
const CHANNEL: &str = "https://www.twitch.tv/Ada";

fn servers(server: &TwitchServer) -> TwitchServers {
    let (api, id) = (server.url(), server.url());
    TwitchServers { api, id, eventsub: server.eventsub(), irc: server.irc() }
}

fn twitch(server: &TwitchServer, clock: &Arc<FakeClock>) -> Arc<Twitch> {
    Arc::new(Twitch::with_token(Secret::value("t0ken")).servers(servers(server)).clock(clock.clone()))
}

fn post(server: &TwitchServer, lines: usize) {
    server.post(crowd(5, lines, START));
    server.end();
}

/// What came, in whatever order: two connections are read at once while Twitch moves the reader.
fn sorted<'a>(events: impl IntoIterator<Item = &'a ChatEvent>) -> Vec<String> {
    let mut events: Vec<String> = events.into_iter().map(|event| format!("{event:?}")).collect();
    events.sort();
    events
}

fn assert_same(events: &[ChatEvent], lines: &[Line], told: impl Fn(&Line) -> ChatEvent) {
    let expected: Vec<ChatEvent> = lines.iter().map(told).collect();
    let (came, expected) = (sorted(events), sorted(&expected));
    let (came_set, expected_set): (BTreeSet<_>, BTreeSet<_>) = (came.iter().collect(), expected.iter().collect());
    assert_eq!(expected_set.difference(&came_set).collect::<Vec<_>>(), Vec::<&&String>::new(), "lost");
    assert_eq!(came_set.difference(&expected_set).collect::<Vec<_>>(), Vec::<&&String>::new(), "unknown");
    assert_eq!(came.len(), expected.len(), "nothing comes twice");
}

/// EventSub does not tell how long a viewer is banned.
fn told(line: &Line) -> ChatEvent {
    let mut event = expected(line);
    if let ChatEvent::Banned { until_ms, .. } = &mut event {
        *until_ms = None;
    }
    event
}

#[tokio::test]
async fn eventsub_brings_every_line_once_through_faults() {
    let mut faults = Faults::default();
    for seed in 0..6 {
        let server =
            TwitchServer::start(Schedule { seed, rates: RATES, token: Some("t0ken".into()), ..Schedule::default() });
        post(&server, 300);
        let clock = clock();
        let read = read(twitch(&server, &clock), &source(CHANNEL), clock, None).await;
        let log = server.log();
        assert_same(&read.events, &log.posted, told);
        faults.add(&log);
        assert_eq!(read.states.last(), Some(&State::Ended));
    }
    faults.assert_struck(&ALL);
}

#[tokio::test]
async fn a_reader_that_is_asked_to_go_to_another_connection_loses_nothing_and_tells_nothing_of_it() {
    let rates = Rates { moved: 0.1, ..Rates::default() };
    let mut moved = 0;
    // How often a reader is asked also depends on how many lines go out at once.
    for seed in 3..13 {
        let server = TwitchServer::start(Schedule { seed, rates, ..Schedule::default() });
        post(&server, 300);
        let clock = clock();
        let read = read(twitch(&server, &clock), &source(CHANNEL), clock, None).await;
        assert_same(&read.events, &server.log().posted, told);
        assert_eq!(read.states, [State::Resolving, State::Connected, State::Ended]);
        moved += server.log().struck(Fault::Moved);
        if moved > 1 {
            return;
        }
    }
    panic!("{moved} requests to move in ten runs");
}

#[tokio::test]
async fn irc_brings_every_line_once_through_faults() {
    let mut faults = Faults::default();
    for seed in 0..6 {
        let server = TwitchServer::start(Schedule { seed, rates: RATES, ..Schedule::default() });
        post(&server, 300);
        let clock = clock();
        let platform = Arc::new(Twitch::anonymous().servers(servers(&server)).clock(clock.clone()));
        let read = read_until(platform, &source(CHANNEL), clock, None, 300).await;
        let log = server.log();
        assert_same(&read.events, &log.posted, expected);
        faults.add(&log);
    }
    faults.assert_struck(&ALL);
}

#[tokio::test]
async fn a_token_that_expires_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let schedule = Schedule {
        rates: Rates { cut: 0.05, ..Rates::default() },
        token: Some("t0p-secret".into()),
        token_file: Some(file.clone()),
        token_lasts: Some(11),
        ..Schedule::default()
    };
    let server = TwitchServer::start(schedule);
    post(&server, 200);
    let clock = clock();
    let platform = Twitch::with_token(Secret::file(file)).servers(servers(&server)).clock(clock.clone());
    let read = read(Arc::new(platform), &source(CHANNEL), clock, None).await;
    assert_same(&read.events, &server.log().posted, told);
    assert!(server.log().struck(Fault::Expired) > 1);
    assert!(!format!("{:?}", read.states).contains("t0p-secret"));
}

#[tokio::test]
async fn an_account_reads_by_irc_with_its_token() {
    let server = TwitchServer::start(Schedule { token: Some("t0ken".into()), ..Schedule::default() });
    post(&server, 50);
    let clock = clock();
    let source = source(CHANNEL).option("transport", "irc");
    let read = read_until(twitch(&server, &clock), &source, clock, None, 50).await;
    assert_same(&read.events, &server.log().posted, expected);
}

#[tokio::test]
async fn what_keeps_a_reader_out_is_told() {
    let server = TwitchServer::start(Schedule { token: Some("t0ken".into()), ..Schedule::default() });
    let clock = clock();
    let platform = twitch(&server, &clock);
    server.set_live(false);
    assert!(matches!(platform.open(&source(CHANNEL), None).await.err(), Some(ChatError::NotLive { .. })));
    server.set_live(true);
    let unknown = platform.open(&source("https://twitch.tv/nobody"), None).await.err();
    assert!(matches!(unknown, Some(ChatError::Refused { reason, .. }) if reason.contains("nobody")));
    server.set_scope(false);
    let scope = platform.open(&source(CHANNEL), None).await.err();
    assert!(matches!(scope, Some(ChatError::Refused { remedy, .. }) if remedy.contains("user:read:chat")));
    let wrong = Twitch::with_token(Secret::value("wr0ng")).servers(servers(&server));
    for transport in ["eventsub", "irc"] {
        let error = wrong.open(&source(CHANNEL).option("transport", transport), None).await.err().unwrap();
        assert!(matches!(&error, ChatError::Refused { remedy, .. } if remedy.contains("token")), "{error}");
        assert!(!format!("{error:?}").contains("wr0ng"));
    }
    let anonymous = Twitch::anonymous().open(&source(CHANNEL).option("transport", "eventsub"), None).await.err();
    assert!(matches!(anonymous, Some(ChatError::Refused { .. })));
}

#[test]
fn crowds_have_what_is_told_of_a_field() {
    let lines = crowd(5, 300, START);
    let has = |is: fn(&Kind) -> bool| lines.iter().any(|line| is(&line.kind));
    assert!(has(|kind| matches!(kind, Kind::Deleted { .. })) && has(|kind| matches!(kind, Kind::Banned { .. })));
    assert!(has(|kind| matches!(kind, Kind::Gifts(_))) && has(|kind| matches!(kind, Kind::Reply { .. })));
    assert!(lines.iter().any(|line| line.user_name == "Nightbot"));
}
