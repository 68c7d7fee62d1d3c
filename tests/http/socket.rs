//! A page's WebSocket: asks, answers, pushes, refusals, and its end.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::*;

/// A page on its WebSocket.
struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What was pushed while an answer was waited for.
    pushed: Vec<Value>,
    asked: u64,
}

impl Page {
    /// Opens the WebSocket at a path with headers, or tells the status and the problem of a refusal.
    async fn open(client: &Client, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, (u16, Value)> {
        let url = format!("ws://{}{path}", client.server.address());
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self { socket, pushed: Vec::new(), asked: 0 }),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn of(client: &Client, path: &str) -> Self {
        Self::open(client, path, &[]).await.expect("opens")
    }

    async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("sent");
    }

    /// The next message, or the reason of the end.
    async fn next(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            let message = timeout(WAIT, self.socket.next()).await.expect("a message in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The answer to an ask.
    async fn ask(&mut self, mut ask: Value) -> Value {
        self.asked += 1;
        ask["id"] = json!(self.asked);
        self.send(&ask.to_string()).await;
        loop {
            let message = self.next().await.expect("goes on");
            if message["id"] == json!(self.asked) {
                return message;
            }
            self.pushed.push(message);
        }
    }

    /// The next push of a kind.
    async fn push(&mut self, kind: &str) -> Value {
        if let Some(at) = self.pushed.iter().position(|message| message["push"] == kind) {
            return self.pushed.remove(at);
        }
        loop {
            let message = self.next().await.expect("goes on");
            if message["push"] == kind {
                return message;
            }
        }
    }

    /// Why it ends.
    async fn end(&mut self) -> Option<CloseFrame> {
        loop {
            if let Err(frame) = self.next().await {
                return frame;
            }
        }
    }
}

/// A server of live insight with some windows of `ada`, and the begin of the first.
async fn stream(windows: i64, limits: Limits) -> (Client, i64) {
    let client = Client::start(Settings { limits, apps: vec![&live_insight::APPLICATION], ..settings() }).await;
    let start = now() / 1000 * 1000 - 60_000;
    let chats = (0..windows).map(|at| chat("ada", "u", "hello", start + at * 1000));
    assert_eq!(client.post("/v1/chat", &chats.collect()).await.0, 202);
    client.events("/v1/streams/ada/events?after=0", windows as usize).await;
    (client, start)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_asks_and_is_answered_over_its_socket() {
    let (client, start) = stream(4, Limits::default()).await;
    let mut page = Page::of(&client, "/v1/streams/ada/socket?after=0").await;
    let frame = page.ask(json!({ "ask": "frame", "last": "15m" })).await;
    assert_eq!((&frame["answer"]["insight"]["chats"], &frame["answer"]["note"]["windows"]), (&json!(4), &json!(4)));
    let part = page.ask(json!({ "ask": "frame", "from": start + 1000, "to": start + 3000 })).await;
    assert_eq!(part["answer"]["insight"]["chats"], 2);
    let (_, same) = client.get("/v1/streams/ada/prediction").await;
    assert_eq!(page.ask(json!({ "ask": "outlook" })).await["answer"], same, "as over HTTP");
    assert_eq!(page.ask(json!({ "ask": "past" })).await["answer"]["streams"][0]["chats"], 4);
    assert_eq!(page.ask(json!({ "ask": "source" })).await["answer"], json!({ "source": null }));
    assert!(page.ask(json!({ "ask": "ping" })).await["answer"]["time_ms"].is_i64());
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_gets_an_error_and_the_socket_stays_open() {
    let (client, _) = stream(1, Limits::default()).await;
    let mut page = Page::of(&client, "/v1/streams/ada/socket").await;
    for (text, id, error) in [
        ("nonsense", json!(null), "not a JSON object"),
        (r#"{"ask":"frame"}"#, json!(null), "has no id"),
        (r#"{"id":"a"}"#, json!("a"), "does not say what it asks"),
        (r#"{"id":2,"ask":"teapot"}"#, json!(2), "there is no ask 'teapot'"),
        (r#"{"id":3,"ask":"frame","last":"soon"}"#, json!(3), "'soon' is not a time frame"),
        (r#"{"id":4,"ask":"frame","last":["15m"]}"#, json!(4), "'last' is neither"),
        (r#"{"id":5,"ask":"outlook"}"#, json!(5), "there is no prediction yet"),
        (r#"{"id":6,"ask":"filter","push":["everything"]}"#, json!(6), "never pushed"),
        (r#"{"id":7,"ask":"clip","start_ms":"soon"}"#, json!(7), "the clip is not valid: invalid type: string"),
    ] {
        page.send(text).await;
        let answer = loop {
            let message = page.next().await.expect("stays open");
            if message["push"].is_null() {
                break message;
            }
        };
        assert_eq!(answer["id"], id, "{text}: {answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|told| told.contains(error)), "{text}: {answer}");
        assert!(answer["error"]["remedy"].as_str().is_some_and(|told| !told.is_empty()), "{answer}");
    }
    page.socket.send(Message::binary(vec![1, 2])).await.expect("sent");
    assert_eq!(page.next().await.expect("stays open")["error"]["message"], "the message is binary");
    assert!(page.ask(json!({ "ask": "ping" })).await["answer"].is_object());
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_pushed_with_a_place_from_which_another_socket_goes_on() {
    let (client, start) = stream(3, Limits::default()).await;
    let mut page = Page::of(&client, "/v1/streams/ada/socket?after=0").await;
    let first = page.push("insight").await;
    assert_eq!(first["data"]["window_start_ms"], start);
    let id = first["id"].as_str().expect("a place").to_owned();
    let mut again = Page::of(&client, &format!("/v1/streams/ada/socket?after={id}")).await;
    assert_eq!(again.push("insight").await["data"]["window_start_ms"], start + 1000);
    assert_eq!(again.push("insight").await["data"]["window_start_ms"], start + 2000);
    client.post("/v1/chat", &chat("ada", "u", "new", now())).await;
    let live = again.push("insight").await;
    assert!(live["data"]["window_start_ms"].as_i64() > Some(start + 2000), "{live}");
    assert_eq!(Page::open(&client, "/v1/streams/ada/socket?after=x", &[]).await.err().expect("refused").0, 400);
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_frame_is_pushed_anew_when_a_window_closes_until_the_page_is_live_again() {
    let (client, start) = stream(2, Limits::default()).await;
    let mut page = Page::of(&client, "/v1/streams/ada/socket").await;
    assert_eq!(page.ask(json!({ "ask": "frame", "last": "all" })).await["answer"]["insight"]["chats"], 2);
    client.post("/v1/chat", &chat("ada", "u", "new", start + 20_000)).await;
    let mut frame = page.push("frame").await;
    while frame["data"]["insight"]["chats"] == 2 {
        // A window of before may have asked for the first one.
        frame = page.push("frame").await;
    }
    assert_eq!(frame["data"]["insight"]["chats"], 3, "{frame}");

    assert_eq!(page.ask(json!({ "ask": "live" })).await["answer"], json!({}));
    let told = page.ask(json!({ "ask": "filter", "push": ["frame", "alert"] })).await;
    assert_eq!(told["answer"]["push"], json!(["alert", "frame"]));
    client.post("/v1/chat", &chat("ada", "u", "newer", start + 30_000)).await;
    client.events("/v1/streams/ada/events?after=0", 4).await;
    page.pushed.clear();
    page.ask(json!({ "ask": "past" })).await;
    let kinds: Vec<_> = page.pushed.iter().map(|message| message["push"].clone()).collect();
    assert!(!kinds.contains(&json!("insight")) && !kinds.contains(&json!("frame")), "{kinds:?}");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_and_without_a_token_are_refused() {
    let tenants = vec![tenant("ada", "token-of-ada-0001", &["ada"]), tenant("bob", "token-of-bob-0001", &["bob"])];
    let cors_origins = vec!["https://ada.example".to_owned()];
    let client = Client::start(Settings { tenants, cors_origins, ..settings() }).await;
    let path = "/v1/streams/ada/socket";
    // `token-of-ada-0001` in hexadecimal digits.
    let protocols = "tidemill.v1, tidemill.token.746f6b656e2d6f662d6164612d30303031";
    let token = ("sec-websocket-protocol", protocols);
    let own = format!("http://{}", client.server.address());
    let status = async |path: &str, headers: &[(&'static str, &str)]| {
        Page::open(&client, path, headers).await.map_or_else(|(status, _)| status, |_| 101)
    };
    assert_eq!(status(path, &[]).await, 401);
    assert_eq!(status(path, &[("authorization", "Bearer token-of-bob-0001")]).await, 403);
    assert_eq!(status(path, &[("authorization", "Bearer token-of-ada-0001")]).await, 101);
    assert_eq!(status(&format!("{path}?token=token-of-ada-0001"), &[]).await, 101);
    assert_eq!(status(path, &[token]).await, 101);
    assert_eq!(status(path, &[token, ("origin", &own)]).await, 101);
    assert_eq!(status(path, &[token, ("origin", "https://ada.example")]).await, 101);
    for other in ["https://evil.example", "http://localhost:1", "null"] {
        let (status, problem) = Page::open(&client, path, &[token, ("origin", other)]).await.err().expect("refused");
        assert_eq!(status, 403, "{other}");
        assert!(problem["fix"].as_str().is_some_and(|fix| fix.contains("server.cors")), "{problem}");
    }
    let (status, problem) = client.get(&format!("{path}?token=token-of-ada-0001")).await;
    assert!(status == 426 && problem["fix"].as_str().is_some_and(|fix| fix.contains("/events")), "{problem}");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_counts_as_a_page_and_as_a_connection_until_it_ends() {
    let limits = Limits { event_streams: 2, address_connections: 4, ..Limits::default() };
    let (client, _) = stream(1, limits).await;
    let path = "/v1/streams/ada/socket";
    until(WAIT, "the earlier page has ended", async || Page::open(&client, path, &[]).await.is_ok()).await;
    let open = async || {
        let page = Page::open(&client, path, &[]).await;
        page.map_err(|(status, _)| status)
    };
    let mut held = Vec::new();
    until(WAIT, "two pages follow", async || {
        held.extend(open().await.ok());
        held.len() == 2
    })
    .await;
    assert_eq!(open().await.err(), Some(429));
    assert_eq!(client.get("/v1/streams/ada/events").await.0, 429, "pages of both kinds count together");
    let first = held.pop().expect("one");
    drop(first);
    until(WAIT, "its place is free", async || open().await.is_ok()).await;

    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_still_a_connection_of_its_address() {
    let client =
        Client::start(Settings { limits: Limits { address_connections: 2, ..Limits::default() }, ..settings() });
    let client = client.await;
    let url = format!("ws://{}/v1/streams/ada/socket", client.server.address());
    let (one, _) = connect_async(&url).await.expect("opens");
    let two = connect_async(&url).await.expect("opens");
    assert!(connect_async(&url).await.is_err(), "HTTP has given both connections away, and they still count");
    drop(one);
    until(WAIT, "a connection is free", async || connect_async(&url).await.is_ok()).await;
    drop(two);
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_long_ends_the_socket_with_a_reason() {
    let (client, _) = stream(1, Limits::default()).await;
    let mut page = Page::of(&client, "/v1/streams/ada/socket").await;
    page.send(&"x".repeat(17 << 10)).await;
    let end = page.end().await.expect("a reason");
    assert_eq!(end.code, CloseCode::Size);
    assert!(end.reason.contains("16384 bytes"), "{}", end.reason);
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_gone_without_a_word_is_found_by_pings() {
    let idle_timeout = Duration::from_millis(400);
    let (client, _) = stream(1, Limits { idle_timeout, event_streams: 1, ..Limits::default() }).await;
    let path = "/v1/streams/ada/socket";
    let mut silent = None;
    until(WAIT, "the earlier page has ended", async || {
        silent = Page::open(&client, path, &[]).await.ok();
        silent.is_some()
    })
    .await;
    // It does not read, so it does not answer pings. Its place becomes free without its doing.
    until(WAIT, "its place is free", async || Page::open(&client, path, &[]).await.is_ok()).await;
    drop(silent);

    // One that answers pings may be silent as long as it likes.
    let mut quiet = None;
    until(WAIT, "the place is free", async || {
        quiet = Page::open(&client, path, &[]).await.ok();
        quiet.is_some()
    })
    .await;
    let mut quiet = quiet.expect("opened");
    let end = timeout(idle_timeout * 4, quiet.end()).await;
    assert!(end.is_err(), "{end:?}");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_takes_no_messages_is_dropped_although_it_sends_some() {
    let idle_timeout = Duration::from_secs(1);
    let (client, _) = stream(1, Limits { idle_timeout, event_streams: 1, ..Limits::default() }).await;
    let path = "/v1/streams/ada/socket";
    let mut deaf = None;
    until(WAIT, "the earlier page has ended", async || {
        deaf = Page::open(&client, path, &[]).await.ok();
        deaf.is_some()
    })
    .await;
    let mut deaf = deaf.expect("opened");
    // Each of these gets an answer that is not read. In the end there is no room left on the way.
    let nonsense = json!({ "id": "i".repeat(64), "ask": "a".repeat(40) });
    let flood = async { while deaf.socket.send(Message::text(nonsense.to_string())).await.is_ok() {} };
    let free = until(WAIT, "its place is free", async || Page::open(&client, path, &[]).await.is_ok());
    tokio::select! {
        () = free => {}
        () = async { flood.await; std::future::pending::<()>().await } => {}
    }
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_tells_its_pages_and_waits_for_no_silent_one() {
    let (client, _) = stream(1, Limits::default()).await;
    let mut page = Page::of(&client, "/v1/streams/ada/socket").await;
    let silent = Page::of(&client, "/v1/streams/ada/socket").await;
    let (end, closed) = tokio::join!(page.end(), client.server.close());
    closed.expect("closes");
    let end = end.expect("a reason");
    assert_eq!((end.code, end.reason.as_str()), (CloseCode::Away, "the server stops; connect again"));
    drop(silent);
}
