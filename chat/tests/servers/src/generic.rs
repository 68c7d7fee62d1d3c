//! A chat that speaks JSON, over HTTP and over a WebSocket.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{
        ConnectInfo, Query, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::{
    Fault, Kind, Line, Log, Schedule,
    fuse::Fuse,
    hall::{Hall, Refusal},
    house::House,
    moment::iso,
};

/// A stand-in for a chat of one's own. An answer over HTTP has `messages`, `cursor`, `poll_interval_ms` and `ended`; a
/// WebSocket sends each message with a `cursor`. Both go on at the parameter `cursor`.
#[derive(Debug)]
pub struct GenericServer {
    hall: Arc<Hall>,
    house: House,
}

impl GenericServer {
    /// Starts one on a free port of this machine.
    pub fn start(schedule: Schedule) -> Self {
        let hall = Arc::new(Hall::new(schedule));
        let app = Router::new().route("/chat", get(answer)).route("/socket", get(open)).with_state(Arc::clone(&hall));
        Self { hall, house: House::open(app) }
    }

    /// Where the chat is read over HTTP.
    pub fn polled(&self) -> String {
        format!("http://{}/chat", self.house.address())
    }

    /// Where the chat is read over a WebSocket.
    pub fn socket(&self) -> String {
        format!("ws://{}/socket", self.house.address())
    }

    /// Sends lines to the readers, now and in later answers.
    pub fn post(&self, lines: impl IntoIterator<Item = Line>) {
        self.hall.post(lines);
    }

    /// Ends the chat after the last line.
    pub fn end(&self) {
        self.hall.end();
    }

    /// What was sent until now.
    pub fn log(&self) -> Log {
        self.hall.log()
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    cursor: Option<usize>,
}

/// How far back a reader is sent when history is told again.
const BACK: usize = 7;

async fn answer(
    State(hall): State<Arc<Hall>>,
    ConnectInfo(fuse): ConnectInfo<Fuse>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let request = match hall.admit(bearer(&headers)) {
        Ok(request) => request,
        Err(refusal) => return refused(refusal, hall.schedule.retry_after_s),
    };
    let from = asked.cursor.unwrap_or_else(|| hall.beginning());
    let (lines, last) = hall.lines(from, hall.schedule.most);
    let cursor = from + lines.len();
    let back = if hall.strikes(Fault::Replayed) { from.saturating_sub(BACK) } else { from };
    let mut messages = hall.lines(back, from - back).0;
    messages.extend(lines);
    if !messages.is_empty() && hall.strikes(Fault::Duplicated) {
        messages.push(messages[messages.len() / 2].clone());
    }
    let values: Vec<Value> = messages.iter().map(|line| value(&hall, line)).collect();
    let pause_ms = hall.schedule.pause_ms;
    let body = json!({ "messages": values, "cursor": cursor.to_string(), "poll_interval_ms": pause_ms, "ended": last });
    let body = body.to_string();
    let whole = !hall.strikes(Fault::Cut);
    if !whole {
        fuse.burn_after(100 + body.len() / 2);
    }
    for line in &messages {
        hall.sent(request, &line.id, whole);
    }
    ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

async fn open(
    State(hall): State<Arc<Hall>>,
    ConnectInfo(fuse): ConnectInfo<Fuse>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    match hall.admit(bearer(&headers)) {
        Ok(request) => upgrade.on_upgrade(move |socket| async move {
            // A reader that is gone needs no more.
            let _ = talk(&hall, &fuse, request, asked.cursor, socket).await;
        }),
        Err(refusal) => refused(refusal, hall.schedule.retry_after_s),
    }
}

async fn talk(
    hall: &Hall,
    fuse: &Fuse,
    request: u64,
    cursor: Option<usize>,
    mut socket: WebSocket,
) -> Result<(), axum::Error> {
    let mut changes = hall.changes();
    let mut next = cursor.unwrap_or_else(|| hall.beginning());
    if hall.strikes(Fault::Replayed) {
        next = next.saturating_sub(BACK);
    }
    loop {
        let (lines, last) = hall.lines(next, hall.schedule.most);
        for line in &lines {
            next += 1;
            let mut value = value(hall, line);
            value["cursor"] = json!(next.to_string());
            let text = value.to_string();
            let whole = !hall.strikes(Fault::Cut);
            if !whole {
                fuse.burn_after(text.len() / 2);
            }
            hall.sent(request, &line.id, whole);
            socket.send(Message::text(text.clone())).await?;
            if hall.strikes(Fault::Duplicated) {
                hall.sent(request, &line.id, whole);
                socket.send(Message::text(text)).await?;
            }
        }
        if last {
            socket.send(Message::text(r#"{"type":"ended"}"#)).await?;
            // The reader leaves; what it says until then is of no interest.
            while let Some(Ok(_)) = socket.recv().await {}
            return Ok(());
        }
        if lines.is_empty() {
            tokio::select! {
                changed = changes.changed() => drop(changed),
                said = socket.recv() => if said.is_none() { return Ok(()) },
                () = tokio::time::sleep(Duration::from_secs(30)) => {}
            }
        }
    }
}

/// A line as this server writes it. Times come in every unit, as in the field.
fn value(hall: &Hall, line: &Line) -> Value {
    let at_ms = hall.said_ms(line.at_ms);
    let time = match line.at_ms / 500 % 3 {
        0 => json!(iso(at_ms)),
        1 => json!(at_ms * 1_000),
        _ => json!(at_ms),
    };
    let author = json!({ "id": line.user_id, "name": line.user_name });
    let mut value = json!({ "id": line.id, "author": author, "text": line.text, "time": time });
    match &line.kind {
        Kind::Text => {}
        Kind::Reply { to } => value["reply_to"] = json!(to),
        Kind::Paid { micros, currency } => value["amount"] = json!({ "micros": micros, "currency": currency }),
        Kind::Joined => value["membership"] = json!("new"),
        Kind::Months(months) => value["membership"] = json!({ "kind": "milestone", "months": months }),
        Kind::Gifts(count) => value["membership"] = json!({ "kind": "gift", "count": count }),
        Kind::Deleted { target } => value = json!({ "type": "deleted", "target_id": target }),
        Kind::Banned { user_id, seconds } => {
            let until = seconds.map(|seconds| at_ms + 1_000 * seconds as i64);
            value = json!({ "type": "banned", "user_id": user_id, "time": time, "until": until });
        }
    }
    value
}

/// The token that a request shows.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("OAuth "))
}

fn refused(refusal: Refusal, retry_after_s: u64) -> Response {
    match refusal {
        Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Refusal::RateLimited => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, retry_after_s.to_string())]).into_response()
        }
        Refusal::Unauthorised => StatusCode::UNAUTHORIZED.into_response(),
    }
}
