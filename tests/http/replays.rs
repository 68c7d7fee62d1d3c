//! Dead letters that are asked again while no model takes calls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::*;

const LETTERS: &str = "/state/dead-letters/live-insight";
const REPLAY: &str = "/state/dead-letters/live-insight/replay";
/// So many failures in a row open a breaker. All calls fail before it opens, so none waits for the route.
const WINDOWS: i64 = 5;

/// A model that refuses every key.
async fn refusing(asked: Arc<AtomicUsize>) -> String {
    let refuse = move || {
        asked.fetch_add(1, Ordering::SeqCst);
        let refused = json!({ "error": { "status": "PERMISSION_DENIED", "message": "key sesame" } });
        async { (axum::http::StatusCode::FORBIDDEN, axum::Json(refused)) }
    };
    let routes = axum::Router::new().route("/v1beta/models/{model}", axum::routing::post(refuse));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    endpoint
}

async fn letters(client: &Client) -> Vec<Value> {
    client.get(LETTERS).await.1["dead_letters"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_again_while_the_only_model_takes_no_calls() {
    let asked = Arc::<AtomicUsize>::default();
    let analyst = gemini(refusing(asked.clone()).await, "sesame");
    let client = Client::start(Settings { apps: vec![&live_insight::APPLICATION], analyst, ..settings() }).await;
    let start = now() / 1_000 * 1_000 - 60_000;
    let chats = (0..WINDOWS).map(|at| chat("ada", "u", "hello", start + at * 1_000));
    client.post("/v1/chat", &chats.collect()).await;
    until(WAIT, "the calls have failed", async || letters(&client).await.len() == WINDOWS as usize).await;
    let route = async || client.get("/state/calls").await.1[0]["routes"][0].clone();
    until(WAIT, "the route is closed", async || route().await["breaker"] == "open").await;

    let before = letters(&client).await;
    let message = before[0]["message"].as_str().expect("text");
    assert!(message.contains("change TIDEMILL_ANALYST_API_KEY or 'analyst.api_key_file'"), "{message}");
    assert!(!message.contains("sesame"), "{message}");
    let answered = asked.load(Ordering::SeqCst);
    let request = client.request("POST", REPLAY).json(&json!({ "all": true }));
    let refused = request.send().await.expect("answers");
    assert_eq!(refused.status(), 503);
    let seconds: u64 = refused.headers()["retry-after"].to_str().expect("text").parse().expect("a number");
    assert!((1..=120).contains(&seconds), "{seconds}");
    let problem: Value = refused.json().await.expect("JSON");
    let error = problem["error"].as_str().expect("text");
    assert!(error.contains("no model takes calls until") && error.contains("gemini-test"), "{problem}");
    assert_eq!(letters(&client).await, before, "none has lost its try");
    assert_eq!(asked.load(Ordering::SeqCst), answered);
    client.server.close().await.expect("closes");
}
