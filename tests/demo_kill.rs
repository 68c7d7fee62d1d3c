//! The demo is killed in the middle, twice, and started again: the results of both applications are those of a demo
//! that nobody disturbed, window by window, none missing and none twice.

mod common;

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use common::Running;
use serde_json::Value;
use tidemill::transport::embedded::EmbeddedLog;
use tidemill_apps::{
    apps::{form_coach, http_client, live_insight, recordings::STREAM_ID},
    server::Feed,
};

const WAIT: Duration = Duration::from_mins(2);
/// The recordings are twenty minutes long.
const SPEED: &str = "240";

fn start(data_dir: &Path) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["demo", "--once", "--speed", SPEED, "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
    Running::start(&mut command)
}

/// Waits until the live stream has so many insights, and kills the demo: nothing is flushed, nothing is closed.
async fn kill_after(insights: usize, data_dir: &Path) {
    let demo = start(data_dir);
    let url = format!("{}/v1/streams/{STREAM_ID}/events?after=0", demo.url);
    let http = http_client(WAIT).expect("a client");
    let mut response = http.get(url).send().await.expect("answers");
    let mut text = String::new();
    while text.matches("event: insight").count() < insights {
        let chunk = tokio::time::timeout(WAIT, response.chunk()).await.expect("in time");
        text.push_str(&String::from_utf8_lossy(&chunk.expect("reads").expect("goes on")));
    }
    demo.kill();
}

fn run_to_its_end(data_dir: &Path) {
    let mut demo = start(data_dir);
    let started = Instant::now();
    while started.elapsed() < WAIT {
        if let Some(status) = demo.ended() {
            assert!(status.success(), "{status}");
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the demo does not end");
}

fn place(log: &EmbeddedLog) -> Value {
    let place = Feed::place(log).expect("reads").expect("a demo played here");
    serde_json::from_slice(&place).expect("JSON")
}

/// Results by topic, stream or athlete, and what tells them apart, all times from the start; how many of each topic
/// there ever were, for compaction takes what was replaced.
fn results(data_dir: &Path) -> (BTreeMap<String, Value>, BTreeMap<&'static str, i64>) {
    let log = EmbeddedLog::open(data_dir.join("log")).expect("nobody has it open");
    let shift = place(&log)["shift_ms"].as_i64().expect("a number");
    let (mut results, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for (topic, key) in [
        (live_insight::INSIGHTS, "window_start_ms"),
        (live_insight::CLIPS, "start_ms"),
        (live_insight::ALERTS, "at_ms"),
        (form_coach::FEEDBACK, "window_start_ms"),
    ] {
        counts.insert(topic, log.end_offsets(topic).expect("reads").iter().sum());
        for (_, record) in log.read_all(topic).expect("reads") {
            let mut value: Value = serde_json::from_slice(&record.value.expect("nothing was erased")).expect("JSON");
            from_start(&mut value, shift);
            // How an answer came about, such as how long it took, is different in each run.
            value.as_object_mut().map(|fields| fields.remove("provenance"));
            let of = value.get("stream_id").or(value.get("user_id")).and_then(Value::as_str).expect("text");
            let name = format!("{topic} {of} {key}={} {}", value[key], value.get("kind").unwrap_or(&Value::Null));
            // Silence is told by each window that it lasts for, as the same alert.
            let lasts = value["kind"] == "silent_microphone" || value["kind"] == "silent_chat";
            results.insert(name, if lasts { Value::Null } else { value });
        }
    }
    (results, counts)
}

/// Turns epoch times into times from the start of the recordings.
fn from_start(value: &mut Value, shift: i64) {
    match value {
        Value::Number(number) => {
            if let Some(time) = number.as_i64().filter(|time| *time > 1_000_000_000_000) {
                *value = (time - shift).into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| from_start(value, shift)),
        Value::Object(fields) => fields.values_mut().for_each(|value| from_start(value, shift)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twice_the_demo_gives_the_results_of_an_undisturbed_one() {
    let (calm, rough) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    run_to_its_end(calm.path());

    let mut played = 0;
    for insights in [3, 9] {
        kill_after(insights, rough.path()).await;
        let log = EmbeddedLog::open(rough.path().join("log")).expect("nobody has it open");
        let place = place(&log);
        let now = place["played"].as_u64().expect("a number");
        assert!(now > played && place["done"] == false, "{place} after {played}: it was killed in the middle");
        played = now;
    }
    run_to_its_end(rough.path());

    let ((expected, count), (got, got_count)) = (results(calm.path()), results(rough.path()));
    let is = |topic: &str| expected.keys().filter(|name| name.starts_with(topic)).count();
    assert_eq!(is(live_insight::INSIGHTS), 20);
    assert!(is(form_coach::FEEDBACK) > 70 && is(live_insight::CLIPS) > 0 && is(live_insight::ALERTS) > 5);
    for (name, result) in &expected {
        assert_eq!(got.get(name), Some(result), "{name}");
    }
    assert_eq!(got.len(), expected.len(), "nothing is there that should not be");
    assert_eq!(got_count, count, "nothing is there twice");
    for topic in [live_insight::INSIGHTS, form_coach::FEEDBACK] {
        assert_eq!(count[topic], is(topic) as i64, "{topic}: a window has one result");
    }
}
