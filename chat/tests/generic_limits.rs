//! A server that does harm, on purpose or not, costs little, and is refused where only a person can help.

#![allow(clippy::unwrap_used)]

mod harness;
mod odd;

use std::sync::Arc;

use harness::{START, clock, read, source};
use odd::{OddServer, json};
use tidemill_chat::{Clock as _, Generic};

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
