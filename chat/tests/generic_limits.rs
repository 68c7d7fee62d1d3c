//! A server that does harm, on purpose or not, costs little, and is refused where only a person can help.

#![allow(clippy::unwrap_used)]

mod harness;
mod odd;

use std::sync::Arc;

use harness::{START, assert_all, clock, read, source};
use odd::{OddServer, answer, json};
use tidemill_chat::{Clock as _, Generic, Platform, Reach, Secret, Source, State, Youtube};
use tidemill_chat_servers::{GenericServer, Schedule, crowd};

#[tokio::test]
async fn no_server_is_asked_more_often_than_twice_a_second() {
    for (option, answer) in [(0, "[]"), (2_000, r#"{"messages":[],"poll_interval_ms":0}"#)] {
        let mut answers = vec![json(answer); 9];
        answers.push(json(r#"{"ended":true}"#));
        let server = OddServer::start(answers).await;
        let clock = clock();
        let began_ms = clock.now_ms();
        let platform = Arc::new(Generic::new().clock(clock.clone()));
        read(platform, &source(&server.url("http")).option("interval_ms", option), clock.clone(), None).await;
        assert_eq!(clock.now_ms() - began_ms, 9 * 500, "{answer}");
    }
}

#[tokio::test]
async fn every_server_is_asked_at_least_once_a_minute() {
    let answers = [json(r#"{"messages":[],"poll_interval_ms":18446744073709551615}"#), json(r#"{"ended":true}"#)];
    let server = OddServer::start(answers).await;
    let clock = clock();
    let platform = Arc::new(Generic::new().clock(clock.clone()));
    read(platform, &source(&server.url("http")), clock.clone(), None).await;
    assert_eq!(clock.now_ms() - START, 3_600_000 + 60_000);
}

/// The reason and the remedy with which a chat is refused.
async fn refused(platform: impl Platform + 'static, source: &Source) -> (String, String) {
    let read = read(Arc::new(platform), source, clock(), None).await;
    match read.states.last() {
        Some(State::Refused { reason, remedy }) if read.events.is_empty() => (reason.clone(), remedy.clone()),
        _ => panic!("{read:?}"),
    }
}

#[tokio::test]
async fn a_name_that_leads_out_of_reach_is_refused_when_it_is_asked() {
    let server = OddServer::start([json(r#"{"ended":true}"#)]).await;
    for scheme in ["http", "ws"] {
        let by_name = server.url(scheme);
        for url in [by_name.replace("localhost", "127.0.0.1"), by_name] {
            let platform = Generic::new().clock(clock()).reach(Reach::only(|address| !address.is_loopback()));
            let (reason, _) = refused(platform, &source(&url)).await;
            assert!(reason.contains("is not read"), "{url}: {reason}");
        }
    }
    let asked = Arc::new(Generic::new().clock(clock()).reach(Reach::only(|address| address.is_loopback())));
    let read = read(asked, &source(&server.url("http")), clock(), None).await;
    assert_eq!(read.states.last(), Some(&State::Ended));
}

#[tokio::test]
async fn a_websocket_in_reach_is_read_by_its_name() {
    let server = GenericServer::start(Schedule::default());
    server.post(crowd(3, 20, START));
    server.end();
    let platform = Arc::new(Generic::new().clock(clock()).reach(Reach::only(|address| address.is_loopback())));
    let url = server.socket().replace("127.0.0.1", "localhost");
    assert_all(&read(platform, &source(&url), clock(), None).await.events, &server.log().posted);
}

#[tokio::test]
async fn a_redirect_that_is_not_followed_is_refused_and_says_where_it_points() {
    for (location, told) in [
        ("/again?key=s3cret", "http://localhost,"),
        ("file:///etc/passwd", "file://,"),
        ("http://ada:s3cret@elsewhere.example/s3cret", "http://elsewhere.example,"),
    ] {
        let server = OddServer::start([answer(&format!("302 Found\r\nlocation: {location}"), "")]).await;
        for scheme in ["http", "ws"] {
            let (reason, _) = refused(Generic::new().clock(clock()), &source(&server.url(scheme))).await;
            let told =
                if scheme == "ws" { told.replace("http://localhost", "ws://localhost") } else { told.to_owned() };
            assert!(reason.contains("302") && reason.contains(&told) && !reason.contains("s3cret"), "{reason}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused() {
    let long = json(&format!("[\"{}\"]", "a".repeat(17 << 20)));
    let server = OddServer::start([long, json(r#"{"ended":true}"#)]).await;
    let (reason, _) = refused(Generic::new().clock(clock()), &source(&server.url("http"))).await;
    assert_eq!(reason, "the chat's server answered with more than 16 MiB");
    let long = json(&format!("{{\"items\":\"{}\"}}", "a".repeat(17 << 20)));
    let server = OddServer::start([long]).await;
    let youtube = Youtube::with_api_key(Secret::value("key")).servers(&server.url("http"), &server.url("http"));
    let video = source("https://www.youtube.com/watch?v=dQw4w9WgXcQ");
    let (reason, _) = refused(youtube.clock(clock()), &video).await;
    assert_eq!(reason, "YouTube answered with more than 16 MiB");
}
