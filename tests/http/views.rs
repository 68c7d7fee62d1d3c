//! Views of a stream: time frames, what comes next, files to keep, past streams.

use super::*;

/// A server with a stream of some windows of a second each, and the start of its first window.
async fn stream(windows: i64) -> (Client, i64) {
    let client = Client::start(Settings { apps: vec![&live_insight::APPLICATION], ..settings() }).await;
    let start = now() / 1000 * 1000 - 60_000;
    // Each window has one message more than the one before, of the same authors and one more.
    let chats = (0..windows).flat_map(|at| {
        (0..=at).map(move |user| chat("ada", &format!("u{user}"), &format!("hello {user}"), start + at * 1000))
    });
    assert_eq!(client.post("/v1/chat", &chats.collect()).await.0, 202);
    client.events("/v1/streams/ada/events?after=0", windows as usize).await;
    (client, start)
}

async fn file(client: &Client, query: &str) -> (u16, [String; 2], Vec<u8>) {
    let response = client.request("GET", &format!("/v1/streams/ada/export{query}")).send().await.expect("answers");
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (status, headers) = (response.status().as_u16(), ["content-type", "content-disposition"].map(header));
    (status, headers, response.bytes().await.expect("reads").to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_sums_up_the_windows_that_are_asked_for() {
    let (client, start) = stream(4).await;
    let frame = async |query: &str| {
        let (status, frame) = client.get(&format!("/v1/streams/ada/frame{query}")).await;
        assert_eq!(status, 200, "{query}: {frame}");
        let (insight, note) = (&frame["insight"], &frame["note"]);
        assert_eq!(insight["stream_id"], "ada");
        let numbers = [&insight["chats"], &insight["users"], &note["windows"]];
        (numbers.map(|number| number.as_u64().unwrap_or_default()), insight["window_start_ms"].as_i64())
    };
    for query in ["", "?last=all", "?last=5m"] {
        assert_eq!(frame(query).await, ([10, 4, 4], Some(start)), "{query}");
    }
    assert_eq!(frame("?last=2s").await, ([7, 4, 2], Some(start + 2000)));
    let part = format!("?from={}&to={}", start + 1000, start + 3000);
    assert_eq!(frame(&part).await, ([5, 3, 2], Some(start + 1000)));
    assert_eq!(frame(&format!("?to={}", start + 1)).await, ([1, 1, 1], Some(start)));

    for query in ["?last=soon", "?last=0m", "?from=yesterday", "?from=9&to=9", "?last=5m&to=9"] {
        let (status, problem) = client.get(&format!("/v1/streams/ada/frame{query}")).await;
        assert_eq!(status, 400, "{query}: {problem}");
        assert!(problem["error"].is_string() && problem["fix"].as_str().is_some_and(|fix| fix.contains("15m")));
    }
    for path in ["/v1/streams/ada/frame?to=9", "/v1/streams/nobody/frame"] {
        let (status, problem) = client.get(path).await;
        assert_eq!((status, problem["fix"].is_string()), (404, true), "{problem}");
    }
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prediction_needs_three_windows_and_tells_of_the_earlier_ones() {
    let (client, start) = stream(4).await;
    let (status, outlook) = client.get("/v1/streams/ada/prediction").await;
    assert_eq!(status, 200, "{outlook}");
    let prediction = &outlook["prediction"];
    assert_eq!((&prediction["stream_id"], &prediction["at_ms"]), (&json!("ada"), &json!(start + 4000)));
    let advice = &prediction["advice"];
    assert!(advice["instruction"].is_string() && advice["reason"].is_string() && advice["confidence"].is_f64());
    let earlier = outlook["earlier"].as_array().expect("a list");
    assert_eq!((earlier.len(), &earlier[0]["outcome"]), (1, &json!("open")));
    assert_eq!(client.get("/v1/streams/ada/prediction?last=5m").await.0, 400);

    let at = start + 30_000;
    let two = json!([chat("bob", "u", "hello", at), chat("bob", "u", "hello", at + 1000)]);
    assert_eq!(client.post("/v1/chat", &two).await.0, 202);
    client.events("/v1/streams/bob/events?after=0", 2).await;
    let (status, problem) = client.get("/v1/streams/bob/prediction").await;
    assert_eq!(status, 404);
    assert!(problem["error"].as_str().is_some_and(|error| error.contains("three windows")), "{problem}");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_exported_in_three_formats() {
    let (client, start) = stream(3).await;
    let (status, headers, csv) = file(&client, "?format=csv").await;
    assert_eq!(status, 200);
    assert_eq!(headers, ["text/csv; charset=utf-8; header=present", "attachment; filename=\"ada.csv\""]);
    let csv = String::from_utf8(csv).expect("text");
    assert!(csv.starts_with("stream_id,window_start_ms,"), "{csv}");
    assert_eq!(csv.lines().count(), 4);
    assert_eq!(file(&client, "").await.2, csv.as_bytes(), "CSV without a wish");

    let (_, headers, lines) = file(&client, "?format=jsonl").await;
    assert_eq!(headers, ["application/x-ndjson", "attachment; filename=\"ada.jsonl\""]);
    let lines = String::from_utf8(lines).expect("text");
    let starts: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["window_start_ms"].clone())
        .collect();
    assert_eq!(starts, [start, start + 1000, start + 2000]);
    let (_, _, part) = file(&client, &format!("?format=jsonl&from={}", start + 2000)).await;
    assert_eq!(part.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 1);

    let (_, headers, parquet) = file(&client, "?format=parquet").await;
    assert_eq!(headers, ["application/vnd.apache.parquet", "attachment; filename=\"ada.parquet\""]);
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));

    for (status, query) in [(400, "?format=xlsx"), (400, "?last=never"), (404, "?to=9")] {
        let (found, _, body) = file(&client, query).await;
        let problem: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((found, problem["fix"].is_string()), (status, true), "{query}: {problem}");
    }
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn past_streams_are_listed_until_they_are_erased() {
    let (client, start) = stream(3).await;
    let at = start - 2_400_000;
    let none = json!({ "streams": [], "kept_ms": 604_800_000 });
    assert_eq!(client.get("/v1/streams/nobody/past").await, (200, none.clone()));
    let earlier =
        json!([chat("bob", "u", "hi", at), chat("bob", "u", "hi", start), chat("bob", "u", "hi", start + 1000)]);
    assert_eq!(client.post("/v1/chat", &earlier).await.0, 202);
    client.events("/v1/streams/bob/events?after=0", 3).await;
    let (status, past) = client.get("/v1/streams/bob/past").await;
    let started: Vec<_> = past["streams"].as_array().expect("a list").iter().map(|one| &one["started_ms"]).collect();
    assert_eq!((status, started), (200, vec![&json!(start), &json!(at)]), "the newest first");
    assert_eq!(past["streams"][0]["chats"], 2);

    assert_eq!(client.send("DELETE", "/v1/streams/ada", JSON, "").await.0, 200);
    for view in ["frame", "prediction", "export"] {
        assert_eq!(client.get(&format!("/v1/streams/ada/{view}")).await.0, 404, "{view}");
    }
    assert_eq!(client.get("/v1/streams/ada/past").await, (200, none));
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_whose_time_is_over_are_in_no_view_although_the_log_still_has_them() {
    let log = EmbeddedLog::in_memory();
    let start = async |result_retention| {
        let own = Settings { result_retention, apps: vec![&live_insight::APPLICATION], ..settings() };
        let server = Server::start_on(own, Log::embedded(log.clone()).expect("a log")).await.expect("starts");
        Client { server, http: http_client(WAIT).expect("a client"), token: None }
    };
    let client = start(Retention::Forever).await;
    let (at, minute) = (now() / 1000 * 1000 - 3_000_000, 60_000);
    let chats = json!([chat("ada", "u", "old", at), chat("ada", "u", "new", at + 25 * minute)]);
    assert_eq!(client.post("/v1/chat", &chats).await.0, 202);
    client.events("/v1/streams/ada/events?after=0", 2).await;
    let (_, past) = client.get("/v1/streams/ada/past").await;
    assert_eq!((&past["streams"][0]["chats"], &past["kept_ms"]), (&json!(2), &Value::Null));
    client.server.close().await.expect("closes");

    // The first window is older than this, and the second one is not.
    let client = start(Retention::For(Duration::from_mins(40))).await;
    let (_, frame) = client.get("/v1/streams/ada/frame").await;
    assert_eq!(frame["insight"]["chats"], 1, "{frame}");
    assert_eq!(client.get(&format!("/v1/streams/ada/frame?to={}", at + 5_000)).await.0, 404);
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_needs_a_token_of_its_stream_and_a_running_application() {
    let tenants = vec![tenant("ada", "token-of-ada-0001", &["ada"]), tenant("bob", "token-of-bob-0001", &["bob"])];
    let cors_origins = vec!["https://ada.example".to_owned()];
    let mut client = Client::start(Settings { tenants, cors_origins, ..settings() }).await;
    for (token, status) in [(None, 401), (Some("token-of-bob-0001"), 403), (Some("token-of-ada-0001"), 404)] {
        client.token = token;
        for view in ["frame", "prediction", "export"] {
            assert_eq!(client.get(&format!("/v1/streams/ada/{view}")).await.0, status, "{view}");
        }
        let past = client.get("/v1/streams/ada/past").await.0;
        assert_eq!(past, if status == 404 { 200 } else { status });
    }
    let other = client.request("GET", "/v1/streams/ada/past").header("origin", "https://ada.example");
    let exposed = other.send().await.expect("answers").headers()["access-control-expose-headers"].clone();
    let exposed = exposed.to_str().expect("text");
    assert!(
        ["content-disposition", "retry-after", "tidemill-windows-left-out"].iter().all(|name| exposed.contains(name))
    );
    client.server.close().await.expect("closes");

    let client = Client::start(Settings { apps: vec![&form_coach::APPLICATION], ..settings() }).await;
    let (status, problem) = client.get("/v1/streams/ada/past").await;
    assert!(status == 404 && problem["error"] == "live-insight does not run here", "{problem}");
    client.server.close().await.expect("closes");
}
