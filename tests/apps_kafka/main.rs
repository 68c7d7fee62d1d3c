//! The binary on Kafka: instances share the work, one is killed, and everything is there once.

#[path = "../common/mod.rs"]
mod common;
mod live;
mod running;
mod three;

use std::time::Duration;

use tidemill::transport::kafka::KafkaConfig;

use tidemill_apps::server::{Log, Settings};

use crate::running::{said, tidemill};

const WAIT: Duration = Duration::from_mins(2);
/// A minute that is long over: event time does not depend on when the test runs.
const START: i64 = 1_767_225_600_000;

/// What the instances wrote.
async fn log_of(brokers: &str) -> Log {
    let settings = Settings { kafka: Some(KafkaConfig::new(brokers)), ..Settings::default() };
    tokio::task::spawn_blocking(move || Log::open(&settings).expect("answers")).await.expect("ends")
}

#[test]
fn brokers_that_are_not_there_are_named() {
    let output = tidemill("127.0.0.1:1").arg("live-insight").output().expect("the binary starts");
    let text = said(&output);
    assert!(!output.status.success());
    assert!(text.contains("no broker answered") && text.contains("127.0.0.1:1: Connection refused"), "{text}");
}
