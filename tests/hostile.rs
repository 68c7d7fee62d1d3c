//! A server under attack and by mistake. Each refusal says what to do, and a canary's events stay right through it all.

mod common;

use std::{io::Read as _, sync::Arc, time::Duration};

use common::until;
use flate2::{Compression, read::GzEncoder};
use serde_json::{Value, json};
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::{
    apps::http_client,
    server::{Server, Settings, Tenant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const WAIT: Duration = Duration::from_mins(1);
const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

fn now() -> i64 {
    SystemClock.now_ms()
}

/// A request and what must be in its answer: the status, and parts of the text.
struct Attempt {
    method: &'static str,
    path: &'static str,
    kind: &'static str,
    body: Vec<u8>,
    status: u16,
    told: &'static [&'static str],
}

fn post(path: &'static str, kind: &'static str, body: impl Into<Vec<u8>>) -> Attempt {
    Attempt { method: "POST", path, kind, body: body.into(), status: 0, told: &[] }
}

fn chat(change: impl FnOnce(&mut Value)) -> Attempt {
    let mut chat = json!({ "stream_id": "s", "user_id": "u", "text": "hi", "timestamp": now() });
    change(&mut chat);
    post("/v1/chat", JSON, chat.to_string())
}

impl Attempt {
    fn gets(self, status: u16, told: &'static [&'static str]) -> Self {
        Self { status, told, ..self }
    }
}

/// A server that is attacked, and a stream that must not notice.
struct Attacked {
    server: Arc<Server>,
    http: reqwest::Client,
    sung: usize,
}

impl Attacked {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { listen: ([127, 0, 0, 1], 0).into(), partitions: 2, ..Settings::default() };
        change(&mut settings);
        let server = Server::start(settings).await.expect("starts");
        Self { server, http: http_client(WAIT).expect("a client"), sung: 0 }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.server.address());
        self.http.request(method.parse().expect("a method"), url)
    }

    async fn attack(&mut self, attempts: Vec<Attempt>) {
        for Attempt { method, path, kind, body, status, told } in attempts {
            let shown = String::from_utf8_lossy(&body[..body.len().min(100)]).into_owned();
            let request = self.request(method, path).header("content-type", kind).body(body);
            let response = request.send().await.expect("answers");
            let (found, text) = (response.status().as_u16(), response.text().await.expect("has a text"));
            assert_eq!(found, status, "{method} {path} {kind} {shown}: {text}");
            for part in told {
                assert!(text.contains(part), "{method} {path} {kind} {shown}: no '{part}' in {text}");
            }
        }
        self.sing().await;
    }

    /// Sends the canary's next event.
    async fn sing(&mut self) {
        let event = json!({ "stream_id": "canary", "user_id": "bird", "text": "la", "timestamp": now() });
        let sent = self.request("POST", "/v1/chat").header("content-type", JSON).body(event.to_string()).send();
        assert_eq!(sent.await.expect("answers").status(), 202);
        self.sung += 1;
    }

    /// Checks that the log has the canary's events and no others.
    async fn ends(self) {
        let log = self.server.engine().log();
        let count = || log.end_offsets("live-chat").expect("reads").iter().sum::<i64>();
        until(WAIT, "all events are in the log", async || count() >= self.sung as i64).await;
        assert_eq!(count(), self.sung as i64, "a refused event was written");
        self.server.close().await.expect("closes");
    }

    /// Sends bytes and returns the answer.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.server.address()).await.expect("connects");
        stream.write_all(bytes).await.expect("sends");
        Self::answer(stream).await
    }

    /// Sends bytes, and tells that no others follow.
    async fn raw_and_no_more(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.server.address()).await.expect("connects");
        stream.write_all(bytes).await.expect("sends");
        stream.shutdown().await.expect("ends its half");
        Self::answer(stream).await
    }

    async fn answer(mut stream: TcpStream) -> String {
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(WAIT, read).await.expect("is answered in time").expect("reads");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn support_is_checked_field_by_field() {
    let mut attacked = Attacked::start().await;
    let amount = |amount: Value, told| chat(|chat| chat["amount"] = amount).gets(422, told);
    let membership = |membership: Value, told| chat(|chat| chat["membership"] = membership).gets(422, told);
    attacked
        .attack(vec![
            amount(json!({ "micros": 0, "currency": "EUR" }), &["amount.micros", "is 0"]),
            amount(json!({ "micros": -1, "currency": "EUR" }), &["amount.micros"]),
            amount(json!({ "micros": 4.99, "currency": "EUR" }), &["amount.micros", "whole number"]),
            amount(json!({ "micros": "4990000", "currency": "EUR" }), &["amount.micros"]),
            amount(json!({ "micros": i64::MAX, "currency": "EUR" }), &["amount.micros"]),
            amount(json!({ "micros": 1, "currency": "eur" }), &["amount.currency", "three capital letters"]),
            amount(json!({ "micros": 1, "currency": "EURO" }), &["amount.currency"]),
            amount(json!({ "micros": 1, "currency": "€" }), &["amount.currency"]),
            amount(json!({ "micros": 1 }), &["amount.currency", "is missing"]),
            amount(json!({ "currency": "EUR" }), &["amount.micros", "is missing"]),
            amount(json!({ "micros": "x", "currency": 1 }), &["amount.micros", "amount.currency"]),
            amount(json!("4.99 EUR"), &["amount", "is not an object"]),
            membership(json!({ "kind": "vip" }), &["membership.kind", "new, gift or milestone"]),
            membership(json!({}), &["membership.kind", "is missing"]),
            membership(json!({ "kind": "gift", "count": 0 }), &["membership.count"]),
            membership(json!({ "kind": "gift", "count": 1_000_000 }), &["membership.count"]),
            membership(json!({ "kind": "milestone", "months": -1 }), &["membership.months"]),
            membership(json!(true), &["membership", "is not an object"]),
            chat(|chat| chat["id"] = 7.into()).gets(422, &["id"]),
            chat(|chat| chat["id"] = "x".repeat(300).into()).gets(422, &["id", "has 300 bytes"]),
            chat(|chat| chat["message_id"] = "m".into()).gets(422, &["message_id", "write it as id"]),
            chat(|chat| chat["text"] = Value::Null).gets(422, &["text"]),
        ])
        .await;
    attacked.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_and_late_events_are_asked_for_with_ids_that_can_be() {
    let mut attacked = Attacked::start().await;
    let delete = |path: &'static str| Attempt { method: "DELETE", ..post(path, JSON, "") };
    let get = |path: &'static str| Attempt { method: "GET", ..post(path, JSON, "") };
    let long: &str = Box::leak(format!("/v1/streams/s/chat/{}", "x".repeat(257)).into_boxed_str());
    attacked
        .attack(vec![
            delete("/v1/streams/s/chat/%20").gets(422, &["is empty"]),
            delete("/v1/streams/s/chat/%E2%80%8B").gets(422, &["is empty"]),
            delete("/v1/streams/s/chat/a%00b").gets(422, &["control character"]),
            delete("/v1/streams/%20/chat/m").gets(422, &["stream_id", "is empty"]),
            delete("/v1/streams/%00/viewers/u").gets(422, &["stream_id"]),
            delete(long).gets(422, &["has 257 bytes"]),
            delete("/v1/streams/s/chat/%ff").gets(400, &["UTF-8"]),
            delete("/v1/streams/s/chat").gets(404, &[]),
            delete("/v1/streams/s/messages/m").gets(404, &[]),
            delete("/v1/users/u/chat/m").gets(404, &[]),
            post("/v1/streams/s/chat/m", JSON, "").gets(405, &["POST"]),
            delete("/v1/streams/s/chat/unknown").gets(202, &["effect"]),
            delete("/v1/streams/s/viewers/%D9%80").gets(202, &["effect"]),
            get("/v1/streams/s/late").gets(200, &["[]"]),
            delete("/v1/streams/s/late").gets(405, &["DELETE"]),
            get("/v1/time").gets(200, &["now_ms"]),
            post("/v1/time", JSON, "{}").gets(405, &["POST"]),
        ])
        .await;
    // Marks alone are a text that people see, and no word that the analysis may stumble over.
    for text in ["\u{640}", "hello \u{640}\u{640} friends", "😀\u{301}", "ok\u{651}", "\u{5b0}"] {
        let marks = json!({ "stream_id": "canary", "user_id": "bird", "text": text, "timestamp": now() });
        attacked.attack(vec![post("/v1/chat", JSON, marks.to_string()).gets(202, &[])]).await;
        attacked.sung += 1;
    }
    attacked.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_nobody_should_send_are_refused_by_name() {
    let mut attacked = Attacked::start().await;
    let long = |bytes: usize| Value::from("x".repeat(bytes));
    attacked
        .attack(vec![
            chat(|chat| chat["user_name"] = long(1 << 19)).gets(422, &["user_name", "has 524288 bytes"]),
            chat(|chat| chat["stream_id"] = long(5_000)).gets(422, &["stream_id", "send at most 256"]),
            chat(|chat| chat["text"] = long(4_097)).gets(422, &["text", "split longer texts"]),
            chat(|chat| chat["text"] = "\u{200b}\u{2060}".into()).gets(422, &["text", "is empty"]),
            chat(|chat| chat["user_id"] = "\u{feff}".into()).gets(422, &["user_id", "is empty"]),
            chat(|chat| chat["timestamp"] = (now() + 23 * 3_600_000).into())
                .gets(422, &["22 hours ahead", "set the sender's clock"]),
            chat(|chat| chat["timestamp"] = 157_766_400_000_i64.into())
                .gets(422, &["51 years back", "data.raw_retention"]),
            chat(|chat| chat["timestamp"] = (now() / 1000).into()).gets(422, &["multiply by 1000"]),
            chat(|chat| chat["timestamp"] = (now() + 125_000).into()).gets(422, &["lies 12", "seconds ahead"]),
            chat(|chat| chat["timestamp"] = i64::MAX.into()).gets(422, &["no date"]),
            chat(|chat| chat["timestamp"] = (i64::MAX as u64 + 1).into()).gets(422, &["no date"]),
            chat(|chat| chat["timestamp"] = i64::MIN.into()).gets(422, &["is negative"]),
            chat(|chat| chat["username"] = "Ada".into()).gets(422, &["username", "write it as user_name"]),
            chat(|chat| chat["stream_id"] = "..".into()).gets(422, &["stream_id", "cannot stand in an address"]),
            chat(|chat| chat["stream_id"] = "a\0b".into()).gets(422, &["stream_id", "control character"]),
            Attempt { path: "/v1/transcript", ..chat(|_| {}) }.gets(422, &["looks like chat", "send it to /v1/chat"]),
        ])
        .await;
    let injuries = json!({ "injuries": vec!["knee"; 70_000] }).to_string();
    let put = |body: &str| Attempt { method: "PUT", ..post("/v1/users/ada/profile", JSON, body) };
    attacked
        .attack(vec![
            put(&injuries).gets(422, &["has 70000 entries"]),
            put(r#"{"heigth_cm": 170, "level": "pro"}"#).gets(422, &["heigth_cm", "level"]),
        ])
        .await;
    let long: &str = Box::leak(format!("/v1/users/{}/profile", "x".repeat(300)).into_boxed_str());
    let of = |path: &'static str| Attempt { path, ..put("{}") };
    attacked
        .attack(vec![
            of("/v1/users/%20/profile").gets(422, &["user_id", "is empty"]),
            of("/v1/users/%20%09/profile").gets(422, &["user_id", "is empty"]),
            of(long).gets(422, &["user_id", "has 300 bytes"]),
            of("/v1/users/a%00b/profile").gets(422, &["user_id", "control character"]),
        ])
        .await;
    attacked.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_another_form_get_their_own_repair() {
    let mut attacked = Attacked::start().await;
    let line = json!({ "stream_id": "s", "user_id": "u", "text": "hi", "timestamp": now() }).to_string();
    let lines = format!("{line}\n{line}\n");
    let deep = "[".repeat(100_000);
    attacked
        .attack(vec![
            post("/v1/chat", JSON, lines.clone()).gets(400, &["more than one JSON value", "application/x-ndjson"]),
            post("/v1/chat", JSON, "").gets(400, &["not JSON"]),
            post("/v1/chat", JSON, "{").gets(400, &["not JSON"]),
            post("/v1/chat", JSON, deep).gets(400, &["not JSON"]),
            post("/v1/chat", JSON, b"\xff\xfe{}".to_vec()).gets(400, &["UTF-8"]),
            post("/v1/chat", JSON, "null").gets(422, &["the event is null"]),
            post("/v1/chat", JSON, "[[]]").gets(422, &["the event is an array"]),
            post("/v1/chat", LINES, format!("{line}\nnonsense")).gets(422, &["\"index\":1", "not JSON"]),
            post("/v1/chat", "text/csv", lines.clone()).gets(415, &["application/x-ndjson"]),
            post("/v1/chat", "application/json; charset=latin1", line.clone()).gets(415, &["send UTF-8"]),
            post("/v1/chat", "application/json; charset=utf-16", line).gets(415, &["send UTF-8"]),
            post("/v1/chat", LINES, "x".repeat(2 << 20)).gets(413, &["larger than 1048576 bytes"]),
        ])
        .await;
    for (encoding, status, part) in [("br", "415", "send gzip"), ("gzip", "400", "encoded as its headers say")] {
        let request = format!(
            "POST /v1/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-encoding: {encoding}\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let answer = attacked.raw(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(part), "{encoding}: {answer}");
    }
    let line = json!({ "stream_id": "canary", "user_id": "u", "text": "marked", "timestamp": now() }).to_string();
    for kind in [JSON, LINES] {
        let marked = post("/v1/chat", kind, format!("\u{feff}{line}"));
        attacked.attack(vec![marked.gets(202, &["\"accepted\":1"])]).await;
        attacked.sung += 1;
    }
    let profile = |kind, body: &str| Attempt { method: "PUT", ..post("/v1/users/ada/profile", kind, body.to_owned()) };
    attacked
        .attack(vec![
            profile(JSON, "\u{feff}{}").gets(204, &[]),
            profile(JSON, r#"{"level":"pro"}"#).gets(422, &["the profile is not valid", "send it again", "level"]),
            profile("text/csv", "{}").gets(415, &["send Content-Type: application/json\""]),
            profile(LINES, "{}").gets(415, &["send Content-Type: application/json\""]),
        ])
        .await;
    let head = "POST /v1/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let chunk = attacked.raw(format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\nhello").as_bytes()).await;
    assert!(chunk.starts_with("HTTP/1.1 400"), "{chunk}");
    let half = attacked.raw_and_no_more(format!("{head}content-length: 100\r\n\r\n{{\"half\":").as_bytes()).await;
    assert!(half.starts_with("HTTP/1.1 400") && half.contains("send the whole body"), "{half}");
    attacked.sing().await;
    attacked.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_names_of_this_machine_open_a_server_without_tokens() {
    let mut attacked = Attacked::start().await;
    let mut asked = Vec::new();
    for host in
        ["localhost", "LOCALHOST", "localhost.", "127.0.0.1:80", "[::1]:80", "evil.example", "localhost.evil.example"]
    {
        let request = format!("GET /state HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        asked.push((host, attacked.raw(request.as_bytes()).await.starts_with("HTTP/1.1 200")));
    }
    for hosts in ["localhost\r\nhost: evil.example", "evil.example\r\nhost: localhost", "localhost\r\nHost: localhost"]
    {
        let answer =
            attacked.raw(format!("GET / HTTP/1.1\r\nhost: {hosts}\r\nconnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("send one Host header"), "{answer}");
    }
    // A path that no client would send as it is: it would resolve the dots.
    let dots = "PUT /v1/users/../profile HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 2\r\nconnection: close\r\n\r\n{}";
    let answer = attacked.raw(dots.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 422") && answer.contains("cannot stand in an address"), "{answer}");
    let (open, closed) = asked.split_at(5);
    assert!(open.iter().all(|(_, answered)| *answered), "{open:?}");
    assert!(closed.iter().all(|(_, answered)| !answered), "{closed:?}");
    attacked.sing().await;
    attacked.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_read_within_its_limit() {
    let mut attacked = Attacked::start().await;
    let send = async |server: &Attacked, body: Vec<u8>| {
        let mut packed = Vec::new();
        GzEncoder::new(&*body, Compression::default()).read_to_end(&mut packed).expect("packs");
        let request = server.request("POST", "/v1/chat").header("content-type", JSON);
        let answer = request.header("content-encoding", "gzip").body(packed).send().await.expect("answers");
        answer.status().as_u16()
    };
    let event = json!({ "stream_id": "canary", "user_id": "u", "text": "packed", "timestamp": now() }).to_string();
    assert_eq!(send(&attacked, event.into_bytes()).await, 202);
    attacked.sung += 1;
    // Collectors append what they pack: each part is a member of its own.
    let mut parts = Vec::new();
    for text in ["first", "second"] {
        let event = json!({ "stream_id": "canary", "user_id": "u", "text": text, "timestamp": now() }).to_string();
        GzEncoder::new(format!("{event}\n").as_bytes(), Compression::fast()).read_to_end(&mut parts).expect("packs");
    }
    let raw = async |server: &Attacked, body: Vec<u8>| {
        let request = server.request("POST", "/v1/chat").header("content-type", LINES);
        let answer = request.header("content-encoding", "GZIP").body(body).send().await.expect("answers");
        (answer.status().as_u16(), answer.text().await.expect("has a text"))
    };
    assert_eq!(raw(&attacked, parts.clone()).await, (202, "{\"accepted\":2}".to_owned()));
    attacked.sung += 2;
    assert_eq!(raw(&attacked, [&*parts, b"garbage"].concat()).await.0, 400);
    // A few kilobytes that would be 64 MiB.
    assert_eq!(send(&attacked, vec![b' '; 64 << 20]).await, 413);
    attacked.sing().await;
    attacked.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_lead_nowhere_say_where_to_go() {
    let mut attacked = Attacked::start().await;
    let get = |path: &'static str| Attempt { method: "GET", ..post(path, JSON, "") };
    attacked
        .attack(vec![
            get("/nowhere").gets(404, &["GET / is the first page"]),
            get("/live").gets(404, &["open /live/<stream id>"]),
            get("/coach").gets(404, &["open /coach/<user id>"]),
            get("/v1/chat").gets(405, &["does not take GET", "Allow"]),
            Attempt { method: "PATCH", ..get("/v1/streams/ada") }.gets(405, &["does not take PATCH"]),
            get("/v1/streams/%ff/events").gets(400, &["write ids in UTF-8"]),
            get("/live/").gets(404, &["open /live/<stream id>"]),
            get("/live/%ff").gets(400, &["write ids in UTF-8"]),
            get("/coach/").gets(404, &["open /coach/<user id>"]),
            get("/v1/streams/").gets(404, &["stream without an id", "/v1/streams/<stream id>"]),
            get("/v1/streams//events").gets(404, &["stream without an id", "/v1/streams/<stream id>/events"]),
            Attempt { method: "PUT", ..get("/v1/users//profile") }.gets(404, &["/v1/users/<user id>/profile"]),
            get("/v1/streams?limit=many").gets(400, &["limit", "leave it out"]),
            get("/v1/streams?limit=abc").gets(400, &["limit: must be a whole number such as 100, not 'abc'"]),
            get("/v1/streams?limit=").gets(400, &["limit: must be a whole number"]),
            get("/v1/streams?limit=3.5").gets(400, &["not '3.5'"]),
            get("/v1/streams?limit=-1").gets(400, &["limit"]),
            get("/v1/streams?limit=0").gets(400, &["limit must be from 1 to 10000", "leave it out"]),
            get("/state/stores/trend/%c3%28").gets(400, &["write ids in UTF-8"]),
            get("/v1/streams/ada/events?after=yesterday").gets(400, &["not a place"]),
        ])
        .await;
    attacked.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_cannot_be_tried_fast() {
    let tenant = Tenant {
        name: "team".into(),
        token: "the-token-of-the-team".into(),
        owners: [("streams", vec!["*".to_owned()])].into(),
        admin: false,
        records_per_second: None,
        body_bytes: None,
    };
    let attacked = Attacked::start_with(|settings| settings.tenants = vec![tenant.into()]).await;
    let ask = async |token: &str| {
        let request = attacked.request("GET", "/v1/streams").bearer_auth(token);
        request.send().await.expect("answers").status().as_u16()
    };
    assert_eq!(ask("the-token-of-the-team").await, 200);
    let lower = attacked.request("GET", "/v1/streams").header("authorization", "bearer  the-token-of-the-team");
    assert_eq!(lower.send().await.expect("answers").status(), 200);
    for number in 0..30 {
        assert_eq!(ask(&format!("guess-number-{number}-of-many")).await, 401);
    }
    assert_eq!(ask("one-guess-more-than-allowed").await, 429);
    assert_eq!(ask("the-token-of-the-team").await, 429, "a right guess would be told from a wrong one");
    attacked.server.close().await.expect("closes");
}
