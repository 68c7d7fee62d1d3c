//! EventSub over a WebSocket.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{
        ConnectInfo, Query, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Studio, TwitchServer, podium::Turn};
use crate::{Fault, Kind, Line, fuse::Fuse, hall::Hall, moment::iso};

static SESSIONS: AtomicU64 = AtomicU64::new(1);

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// The session that is continued.
    session: Option<String>,
}

pub(super) async fn open(
    State(studio): State<Arc<Studio>>,
    ConnectInfo(fuse): ConnectInfo<Fuse>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if asked.session.is_none() && studio.hall.strikes(Fault::Unavailable) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    upgrade.on_upgrade(move |socket| async move {
        let number = SESSIONS.fetch_add(1, Ordering::SeqCst);
        let connection = Connection { studio, fuse, number, host, socket };
        // A reader that is gone needs no more.
        let _ = connection.serve(asked.session).await;
    })
}

struct Connection {
    studio: Arc<Studio>,
    fuse: Fuse,
    number: u64,
    host: String,
    socket: WebSocket,
}

impl Connection {
    async fn serve(mut self, continued: Option<String>) -> Result<(), axum::Error> {
        let studio = Arc::clone(&self.studio);
        let (hall, podium) = (&studio.hall, &studio.podium);
        let session = continued.clone().unwrap_or_else(|| format!("session-{}", self.number));
        let welcome = json!({ "session": { "id": session, "status": "connected", "keepalive_timeout_seconds": 10 } });
        self.say(&frame(hall, "session_welcome", "", welcome)).await?;
        // Who does not subscribe is not sent to, and is closed.
        if continued.is_none() {
            for _ in 0..1_000 {
                if podium.is_subscribed(&session) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if !podium.is_subscribed(&session) {
                return self.close(4003).await;
            }
        }
        podium.take(hall, self.number);
        let mut changes = hall.changes();
        let mut asked_to_move = false;
        loop {
            match podium.turn(hall, self.number) {
                Turn::Over => return self.close(4004).await,
                Turn::Ended => {
                    let event = json!({ "broadcaster_user_id": TwitchServer::BROADCASTER });
                    self.say(&notification(hall, "ended", "stream.offline", hall.schedule.skew_ms, event)).await?;
                    while let Some(Ok(_)) = self.socket.recv().await {}
                    return Ok(());
                }
                Turn::Quiet => {
                    tokio::select! {
                        changed = changes.changed() => drop(changed),
                        said = self.socket.recv() => if said.is_none() { return Ok(()) },
                        () = tokio::time::sleep(Duration::from_secs(5)) => {
                            self.say(&frame(hall, "session_keepalive", "", json!({}))).await?;
                        }
                    }
                }
                Turn::Line { line, whole, twice } => {
                    let text = notice(hall, &line).to_string();
                    if !whole {
                        self.fuse.burn_after(text.len() / 2);
                    }
                    self.socket.send(Message::text(text.clone())).await?;
                    if twice {
                        self.socket.send(Message::text(text)).await?;
                    }
                    if let Kind::Gifts(_) = line.kind {
                        self.say(&single_gift(hall, &line)).await?;
                    }
                    if !asked_to_move && hall.strikes(Fault::Moved) {
                        asked_to_move = true;
                        let url = format!("ws://{}/eventsub?session={session}", self.host);
                        let moved =
                            json!({ "session": { "id": session, "status": "reconnecting", "reconnect_url": url } });
                        self.say(&frame(hall, "session_reconnect", "", moved)).await?;
                    }
                    // The other connection has its turn.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn say(&mut self, frame: &Value) -> Result<(), axum::Error> {
        self.socket.send(Message::text(frame.to_string())).await
    }

    async fn close(&mut self, code: u16) -> Result<(), axum::Error> {
        self.socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await?;
        while let Some(Ok(_)) = self.socket.recv().await {}
        Ok(())
    }
}

fn frame(hall: &Hall, kind: &str, id: &str, payload: Value) -> Value {
    let timestamp = iso(hall.schedule.skew_ms);
    json!({ "metadata": { "message_id": id, "message_type": kind, "message_timestamp": timestamp }, "payload": payload })
}

fn notification(hall: &Hall, id: &str, kind: &str, at_ms: i64, event: Value) -> Value {
    let mut said =
        frame(hall, "notification", &format!("n-{id}"), json!({ "subscription": { "type": kind }, "event": event }));
    // Nanoseconds.
    said["metadata"]["message_timestamp"] = json!(iso(at_ms).replace("417Z", "417000123Z"));
    said["metadata"]["subscription_type"] = json!(kind);
    said
}

/// A line as a notification.
fn notice(hall: &Hall, line: &Line) -> Value {
    let mut event = json!({
        "broadcaster_user_id": TwitchServer::BROADCASTER,
        "chatter_user_id": line.user_id,
        "chatter_user_name": line.user_name,
        "message_id": line.id,
        "message": { "text": line.text, "fragments": [{ "type": "text", "text": line.text }] },
        "cheer": null,
        "reply": null,
        "source_broadcaster_user_id": null,
    });
    let mut kind = "channel.chat.notification";
    match &line.kind {
        Kind::Text => kind = "channel.chat.message",
        Kind::Reply { to } => {
            kind = "channel.chat.message";
            event["reply"] = json!({ "parent_message_id": to });
        }
        Kind::Paid { micros, .. } => {
            kind = "channel.chat.message";
            event["cheer"] = json!({ "bits": micros / 10_000 });
        }
        Kind::Joined => event["notice_type"] = json!("sub"),
        Kind::Months(months) => {
            event["notice_type"] = json!("resub");
            event["resub"] = json!({ "cumulative_months": months, "is_gift": false });
        }
        Kind::Gifts(count) => {
            event["notice_type"] = json!("community_sub_gift");
            event["community_sub_gift"] = json!({ "id": line.id, "total": count });
        }
        Kind::Deleted { target } => {
            kind = "channel.chat.message_delete";
            event = json!({ "broadcaster_user_id": TwitchServer::BROADCASTER, "message_id": target });
        }
        Kind::Banned { user_id, .. } => {
            kind = "channel.chat.clear_user_messages";
            event = json!({ "broadcaster_user_id": TwitchServer::BROADCASTER, "target_user_id": user_id });
        }
    }
    notification(hall, &line.id, kind, hall.said_ms(line.at_ms), event)
}

/// One of the gifts of a larger one, which Twitch tells, too.
fn single_gift(hall: &Hall, line: &Line) -> Value {
    let event = json!({
        "chatter_user_id": line.user_id,
        "chatter_user_name": line.user_name,
        "message_id": format!("{}-single", line.id),
        "message": { "text": "" },
        "notice_type": "sub_gift",
        "sub_gift": { "community_gift_id": line.id, "recipient_user_id": "u-9" },
    });
    notification(hall, &format!("{}-single", line.id), "channel.chat.notification", hall.said_ms(line.at_ms), event)
}
