//! Model calls as operators see them: state, metrics, dead letters, the journal.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::*;

const LETTERS: &str = "/state/dead-letters/live-insight";
const REPLAY: &str = "/state/dead-letters/live-insight/replay";
const JOURNAL: &str = "/state/calls/live-insight/journal";

/// Stands in for a model that refuses every request until it is told to answer.
#[derive(Default)]
struct Model {
    answers: AtomicBool,
    asked: AtomicUsize,
}

impl Model {
    async fn start() -> (Arc<Self>, AnalystChoice) {
        let model = Arc::new(Self::default());
        let own = model.clone();
        let answer = move |_: axum::Json<Value>| {
            let model = own.clone();
            async move {
                model.asked.fetch_add(1, Ordering::SeqCst);
                if !model.answers.load(Ordering::SeqCst) {
                    let refused = json!({ "error": { "status": "INVALID_ARGUMENT" } });
                    return (axum::http::StatusCode::BAD_REQUEST, axum::Json(refused));
                }
                let verdict = json!({ "vibe_score": 90, "mood": "hyped", "hot_topics": [], "instruction": "Go on." });
                let part = json!({ "text": verdict.to_string() });
                let reply = json!({ "candidates": [{ "content": { "parts": [part] }, "finishReason": "STOP" }] });
                (axum::http::StatusCode::OK, axum::Json(reply))
            }
        };
        let routes = axum::Router::new().route("/v1beta/models/{model}", axum::routing::post(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (model, gemini(endpoint, "key"))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn with(analyst: AnalystChoice) -> Settings {
    Settings { apps: vec![&live_insight::APPLICATION], analyst, ..settings() }
}

/// A server whose model refuses the calls of three windows of `ada`, and one of `bob`.
async fn refused() -> (Client, Arc<Model>) {
    let (model, gemini) = Model::start().await;
    let client = Client::start(with(gemini)).await;
    ask_four(&client).await;
    (client, model)
}

async fn ask_four(client: &Client) {
    let start = now() / 1000 * 1000 - 60_000;
    let chats = (0..3).map(|at| chat("ada", "u", "hello", start + at * 1_000));
    client.post("/v1/chat", &chats.chain([chat("bob", "u", "hello", start)]).collect()).await;
    client.events("/v1/streams/ada/events?after=0", 3).await;
    client.events("/v1/streams/bob/events?after=0", 1).await;
}

async fn letters(client: &Client, query: &str) -> Vec<Value> {
    let (status, listed) = client.get(&format!("{LETTERS}{query}")).await;
    assert_eq!(status, 200, "{listed}");
    listed["dead_letters"].as_array().expect("a list").clone()
}

async fn metrics(client: &Client) -> String {
    client.request("GET", "/metrics").send().await.expect("answers").text().await.expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_an_answer_are_listed_and_asked_again_once() {
    let (client, model) = refused().await;
    let all = letters(&client, "").await;
    assert_eq!(all.len(), 4);
    let of_bob = all.iter().find(|letter| letter["key"]["id"] == "bob").expect("bob's");
    assert_eq!(
        (&of_bob["kind"], &of_bob["attempts"], &of_bob["asked_again"]),
        (&json!("error"), &json!(1), &json!(false))
    );
    assert!(of_bob["message"].as_str().is_some_and(|message| message.contains("INVALID_ARGUMENT")), "{of_bob}");
    assert!(of_bob.get("request").is_none() && of_bob["bytes"].as_u64() > Some(10), "{of_bob}");
    assert!(letters(&client, "?content=true").await.iter().all(|letter| letter["request"]["draft"].is_object()));

    let ids: Vec<_> = all.iter().map(|letter| letter["id"].as_str().expect("text").to_owned()).collect();
    let (_, first) = client.get(&format!("{LETTERS}?limit=3")).await;
    assert_eq!((first["dead_letters"].as_array().map(Vec::len), &first["more"]), (Some(3), &json!(true)));
    let rest = letters(&client, &format!("?after={}", ids[2])).await;
    assert_eq!(rest.iter().map(|letter| &letter["id"]).collect::<Vec<_>>(), [&json!(ids[3])]);

    model.answers.store(true, Ordering::SeqCst);
    let id = of_bob["id"].clone();
    let asked = |now: u64, before: u64| (200, json!({ "asked_again": now, "asked_before": before }));
    assert_eq!(client.post(REPLAY, &json!({ "ids": [id] })).await, asked(1, 0));
    assert_eq!(client.post(REPLAY, &json!({ "ids": [id] })).await, asked(0, 1));
    until(WAIT, "the model's answer replaces the draft", async || {
        client.events("/v1/streams/bob/events?after=0", 1).await[0].2["analyst"] == "gemini-test"
    })
    .await;
    assert_eq!(client.post(REPLAY, &json!({ "all": true })).await, asked(3, 1));
    assert_eq!(client.post(REPLAY, &json!({ "all": true })).await, asked(0, 4));
    until(WAIT, "all are answered", async || model.asked() == 8).await;
    assert_eq!(letters(&client, "").await, Vec::<Value>::new());
    assert!(letters(&client, "?all=true").await.iter().all(|letter| letter["asked_again"] == true));
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_to_ask_again_asks_nothing() {
    let (client, model) = refused().await;
    let ids: Vec<_> = letters(&client, "").await.iter().map(|letter| letter["id"].clone()).collect();
    for (status, body) in [
        (400, json!({})),
        (400, json!({ "all": false })),
        (400, json!({ "ids": [] })),
        (400, json!({ "ids": [ids[0]], "all": true })),
        (400, json!({ "ids": [ids[0], "first"] })),
        (400, json!({ "id": ids[0] })),
        (404, json!({ "ids": [ids[0], "0-999"] })),
        (404, json!({ "ids": ["99-0"] })),
    ] {
        let (found, problem) = client.post(REPLAY, &body).await;
        assert_eq!(found, status, "{body}: {problem}");
        assert!(problem["error"].is_string() && problem["fix"].is_string(), "{problem}");
    }
    assert_eq!(client.send("POST", REPLAY, "text/plain", "{\"all\":true}").await.0, 415);
    let many = json!({ "ids": vec!["0-999"; 20_000] });
    assert_eq!(client.post(REPLAY, &many).await.0, 413);
    for query in ["?after=first", "?after=0", "?limit=0", "?limit=x"] {
        assert_eq!(client.get(&format!("{LETTERS}{query}")).await.0, 400, "{query}");
    }
    for application in ["nothing", "form-coach"] {
        assert_eq!(client.get(&format!("/state/dead-letters/{application}")).await.0, 404);
        let path = format!("/state/dead-letters/{application}/replay");
        assert_eq!(client.post(&path, &json!({ "all": true })).await.0, 404);
    }
    assert_eq!((letters(&client, "").await.len(), model.asked()), (4, 4));
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_share_a_log_ask_each_dead_letter_once() {
    let (model, gemini) = Model::start().await;
    let log = EmbeddedLog::in_memory();
    let start = async || {
        let log = Log::embedded(log.clone()).expect("a log");
        let server = Server::start_on(with(gemini.clone()), log).await.expect("starts");
        Client { server, http: http_client(WAIT).expect("a client"), token: None }
    };
    let clients = [start().await, start().await];
    ask_four(&clients[0]).await;
    model.answers.store(true, Ordering::SeqCst);
    // One may be told to ask again later, because the other was asking.
    let ask = async |client: &Client| {
        let mut asked = 0;
        for _ in 0..5 {
            let (status, told) = client.post(REPLAY, &json!({ "all": true })).await;
            assert!([200, 503].contains(&status), "{told}");
            asked += told["asked_again"].as_u64().unwrap_or(0);
        }
        asked
    };
    let (one, other) = tokio::join!(ask(&clients[0]), ask(&clients[1]));
    // The answer to a server that another one overtook may be lost, but nothing is asked twice.
    assert!(one + other <= 4, "{one} + {other}");
    until(WAIT, "all are asked", async || model.asked() == 8).await;
    for client in &clients {
        assert_eq!(client.post(REPLAY, &json!({ "all": true })).await.1["asked_again"], 0);
    }
    assert_eq!(model.asked(), 8);
    for client in &clients {
        client.server.close().await.expect("closes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_takes_dead_letters_and_what_is_asked_again() {
    let (client, model) = refused().await;
    model.answers.store(true, Ordering::SeqCst);
    assert_eq!(client.post(REPLAY, &json!({ "all": true })).await.0, 200);
    assert_eq!(client.send("DELETE", "/v1/streams/ada", JSON, "").await.0, 200);
    assert!(letters(&client, "?all=true").await.iter().all(|letter| letter["key"]["id"] != "ada"));
    let log = client.server.engine().log();
    let kept = |topic: &str| {
        let records = log.read_all(topic).expect("reads").into_iter().map(|(_, record)| record);
        let of_ada = records.filter(|record| record.key.as_ref().is_some_and(|key| key.starts_with(b"ada")));
        of_ada.filter(|record| record.value.is_some()).count()
    };
    assert_eq!(kept("live-insight-live-analyst-dead-letters"), 0);
    // A call that ran meanwhile ends without effect, and then its request is deleted.
    until(WAIT, "running calls end", async || kept("live-insight-live-analyst-requests") == 0).await;
    assert_eq!(kept("live-insights"), 0);
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_told_in_state_and_metrics() {
    let (client, model) = refused().await;
    model.answers.store(true, Ordering::SeqCst);
    client.post(REPLAY, &json!({ "all": true })).await;
    until(WAIT, "all are answered", async || client.get("/state/calls").await.1[0]["stats"]["succeeded"] == 4).await;
    // Routes and failures are told a moment later.
    until(WAIT, "the last attempts are told", async || {
        let (_, calls) = client.get("/state/calls").await;
        let failures = calls[0]["failures"].as_array().map(Vec::len);
        failures == Some(4) && calls[0]["routes"][0]["in_flight"] == 0
    })
    .await;
    let (_, calls) = client.get("/state/calls").await;
    let calls = &calls[0];
    assert_eq!((&calls["application"], &calls["stats"]["failed"]), (&json!("live-insight"), &json!(4)));
    assert_eq!((&calls["failures"][0]["kind"], &calls["oldest_waiting_ms"]), (&json!("error"), &json!(null)));
    let latency: u64 = calls["stats"]["latency"].as_array().expect("a list").iter().filter_map(Value::as_u64).sum();
    assert_eq!(latency, 4, "{calls}");
    assert_eq!(calls["latency_bounds_ms"].as_array().map(Vec::len), Some(11));
    assert_eq!(
        (&calls["routes"][0]["name"], &calls["routes"][0]["breaker"]),
        (&json!("gemini-test"), &json!("closed"))
    );

    let told = metrics(&client).await;
    for line in [
        "tidemill_calls_attempts_total{application=\"live-insight\"} 8",
        "tidemill_calls_failed_total{application=\"live-insight\"} 4",
        "tidemill_calls_succeeded_total{application=\"live-insight\",route=\"gemini-test\"} 4",
        "tidemill_calls_in_flight{application=\"live-insight\"} 0",
        "tidemill_calls_waiting{application=\"live-insight\"} 0",
        "tidemill_calls_latency_seconds_count{application=\"live-insight\"} 4",
        "tidemill_calls_latency_seconds_bucket{application=\"live-insight\",le=\"+Inf\"} 4",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
    assert!(!told.contains("ada") && !told.contains("bob"), "no id of a stream");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_sees_calls_and_asks_them_again() {
    let tenants = vec![tenant("ada", "token-of-ada-0001", &["ada"]), tenant("admin", "token-of-admin-01", &[])];
    let keep_calls = Duration::from_hours(1);
    let mut client = Client::start(Settings { tenants, keep_calls, ..settings() }).await;
    for (token, status) in [(None, 401), (Some("token-of-ada-0001"), 403), (Some("token-of-admin-01"), 200)] {
        client.token = token;
        for path in ["/state/calls", LETTERS, JOURNAL] {
            assert_eq!(client.get(path).await.0, status, "{path}");
        }
        assert_eq!(client.post(REPLAY, &json!({ "all": true })).await.0, status);
        // The page holds no data. It asks for a token.
        assert_eq!(client.get("/operator").await.0, 200);
    }
    client.server.close().await.expect("closes");
}

async fn journal(client: &Client, query: &str) -> Vec<Value> {
    let response = client.request("GET", &format!("{JOURNAL}{query}")).send().await.expect("answers");
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].as_bytes()),
        (200, &b"application/x-ndjson"[..])
    );
    let text = response.text().await.expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_has_requests_with_their_answers_until_they_are_erased() {
    let (model, gemini) = Model::start().await;
    let client = Client::start(Settings { keep_calls: Duration::from_hours(1), ..with(gemini) }).await;
    ask_four(&client).await;
    model.answers.store(true, Ordering::SeqCst);
    client.post(REPLAY, &json!({ "all": true })).await;
    until(WAIT, "all are answered", async || journal(&client, "").await.len() == 8).await;
    let lines = journal(&client, "").await;
    let (answered, failed): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["response"].is_object());
    assert_eq!((answered.len(), failed.len()), (4, 4));
    for line in &lines {
        assert!(line["request"]["draft"].is_object() && line["asked_ms"].is_i64() && line["id"].is_string(), "{line}");
        assert_eq!(line["report"]["attempts"], 1);
    }
    assert!(answered.iter().all(|line| line["response"]["analyst"] == "gemini-test"));
    assert!(failed.iter().all(|line| line["failure"]["kind"] == "error"));
    assert_eq!(journal(&client, "?limit=1").await.len(), 1);
    assert_eq!(journal(&client, "?limit=3").await.len(), 3, "most are in one partition");
    for query in ["?limit=0", "?limit=10001", "?limit=many"] {
        assert_eq!(client.get(&format!("{JOURNAL}{query}")).await.0, 400, "{query}");
    }

    assert_eq!(client.send("DELETE", "/v1/streams/ada", JSON, "").await.0, 200);
    assert!(journal(&client, "").await.iter().all(|line| line["key"]["id"] != "ada"));
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_journal_the_address_says_how_to_keep_one() {
    let client = Client::start(Settings { apps: vec![&live_insight::APPLICATION], ..settings() }).await;
    let (status, problem) = client.get(JOURNAL).await;
    assert_eq!(status, 404);
    assert!(problem["fix"].as_str().is_some_and(|fix| fix.contains("analyst.keep_calls")), "{problem}");
    for application in ["nothing", "form-coach"] {
        assert_eq!(client.get(&format!("/state/calls/{application}/journal")).await.0, 404);
    }
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_calls_leave_the_journal_and_the_log() {
    let (_, gemini) = Model::start().await;
    let client = Client::start(Settings { keep_calls: Duration::from_secs(2), ..with(gemini) }).await;
    ask_four(&client).await;
    until(WAIT, "old calls are deleted", async || {
        let log = client.server.engine().log();
        let kept = |kind: &str| log.read_all(&format!("live-insight-live-analyst-{kind}")).expect("reads").len();
        journal(&client, "").await.is_empty() && kept("requests") == 0 && kept("responses") == 0
    })
    .await;
    client.server.close().await.expect("closes");
}
