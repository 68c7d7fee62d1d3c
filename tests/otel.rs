//! Spans of model calls reach a collector of OpenTelemetry, without content of messages.
#![cfg(feature = "otel")]

#[path = "prompt_evaluation/recorded.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod recorded;

use std::{
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use recorded::{journal, live, mood};
use serde_json::{Value, json};
use tidemill_model_server::{Latency, ModelServer, Schedule};

/// What a collector received: headers and bodies.
type Received = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

async fn collector() -> (String, Received) {
    let received = Received::default();
    let take = |State(received): State<Received>, headers: HeaderMap, Json(body): Json<Value>| async move {
        received.lock().expect("no panic").push((headers, body));
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let routes = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, received)
}

/// Asks a model a few requests, in a program of its own.
fn evaluate(collector: &str) -> (Option<i32>, String) {
    let models = ModelServer::start(Schedule { latency: Latency::steady(1), ..Schedule::default() });
    let folder = tempfile::tempdir().expect("a folder");
    let calls = folder.path().join("calls.jsonl");
    std::fs::write(&calls, journal(&live(2), |_| Some(mood("calm", 50)))).expect("it is written");
    let endpoint = format!("analyst.endpoint={}/v1", models.url());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["prompts", "eval", "--application", "live-insight", "--analyst", "openai", "--yes", "--requests"]);
    command.arg(&calls).args(["--set", &endpoint, "--set", "analyst.model=flash"]).stdin(Stdio::null());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector).env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-collector");
    let output = command.output().expect("the binary runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The value of an attribute.
fn attribute<'a>(of: &'a Value, name: &str) -> &'a Value {
    let all = of["attributes"].as_array().expect("attributes");
    all.iter().find(|attribute| attribute["key"] == name).map_or(&Value::Null, |attribute| &attribute["value"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_a_span_with_model_and_usage_and_without_content() {
    let (url, received) = collector().await;
    let (code, told) = tokio::task::spawn_blocking(move || evaluate(&url)).await.expect("it ends");
    assert_eq!(code, Some(0), "{told}");
    let received = received.lock().expect("no panic").clone();
    assert!(!received.is_empty(), "{told}");
    assert!(received.iter().all(|(headers, _)| headers["x-key"] == "of-the-collector"));
    let resource = &received[0].1["resourceSpans"][0]["resource"];
    assert_eq!(attribute(resource, "service.name"), &json!({ "stringValue": "tidemill" }));
    let batches = received.iter().map(|(_, body)| &body["resourceSpans"][0]["scopeSpans"][0]["spans"]);
    let spans: Vec<_> = batches.flat_map(|spans| spans.as_array().expect("spans")).collect();
    assert_eq!(spans.len(), 2, "one for each request: {spans:?}");
    for span in spans {
        assert_eq!((&span["name"], &span["kind"]), (&json!("chat flash"), &json!(3)), "{span}");
        assert_eq!(span["traceId"].as_str().map(str::len), Some(32));
        assert_eq!(attribute(span, "gen_ai.request.model"), &json!({ "stringValue": "flash" }));
        assert_eq!(attribute(span, "gen_ai.provider.name"), &json!({ "stringValue": "openai" }));
        for usage in ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"] {
            let tokens = attribute(span, usage)["intValue"].as_str().and_then(|tokens| tokens.parse::<u64>().ok());
            assert!(tokens > Some(0), "{usage} in {span}");
        }
    }
    let bodies = received.iter().map(|(_, body)| body.to_string()).collect::<String>();
    let requests = live(2);
    let chats = requests.iter().flat_map(|request| request["window"]["chats"].as_array().expect("a list"));
    let texts = chats.filter_map(|chat| chat["text"].as_str()).filter(|text| text.len() > 8);
    let texts: Vec<_> = texts.collect();
    assert!(texts.len() > 5);
    for content in texts.into_iter().chain(["co-pilot of a live streamer", "vibe_score"]) {
        assert!(!bodies.contains(content), "{content}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_nothing_up() {
    let started = Instant::now();
    let away = || evaluate("http://127.0.0.1:9");
    let (code, told) = tokio::task::spawn_blocking(away).await.expect("it ends");
    assert_eq!(code, Some(0), "{told}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
