//! Chats over a WebSocket: each frame is JSON, or lines of JSON.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use url::Url;

use super::{
    path::{as_text, find},
    reader::Reader,
};
use crate::{
    Batch, ChatError, Connection, Position, Pump, Source,
    net::{Reach, Token, connect, text},
};

pub(super) const WHAT: &str = "the chat's WebSocket";

pub(super) async fn open(
    mut url: Url,
    token: Option<Token>,
    reach: Reach,
    source: &Source,
    mut reader: Reader,
    from: Option<&Position>,
) -> Result<Box<dyn Connection>, ChatError> {
    let cursor_path = source.text("cursor").unwrap_or("cursor").to_owned();
    let mut cursor = from.and_then(|Position(at)| at.get("cursor")?.as_str().map(str::to_owned));
    let cursor_parameter = source.text("cursor_parameter");
    // A server that takes no cursor begins anew, whatever cursor it tells.
    let goes_on = cursor_parameter.is_some();
    if let (Some(parameter), Some(cursor)) = (cursor_parameter, &cursor) {
        url.query_pairs_mut().append_pair(parameter, cursor);
    }
    let silent_ms = source.options.get("silent_ms").and_then(Value::as_u64).unwrap_or(60_000);
    let silent = Duration::from_millis(silent_ms.max(1_000));
    let mut frames = connect(WHAT, &url, token.as_ref(), reach).await?;
    let hello = match source.options.get("hello") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(json) => Some(json.to_string()),
    };
    let broken = |error| ChatError::transient(format!("{WHAT} broke off: {error}"));
    if let Some(hello) = hello {
        frames.send(Message::text(hello)).await.map_err(broken)?;
    }
    let pump = Pump::run(|outlet| async move {
        loop {
            let frame = match timeout(silent, text(WHAT, &mut frames)).await {
                Ok(frame) => frame?,
                // Nothing says whether the chat is quiet or the line is dead, so the server is asked.
                Err(_) => {
                    frames.send(Message::Ping(Bytes::new())).await.map_err(broken)?;
                    let frame = timeout(silent, alive(&mut frames)).await;
                    match frame.map_err(|_| ChatError::transient(format!("{WHAT} is silent")))?? {
                        Some(frame) => frame,
                        None => continue,
                    }
                }
            };
            let mut batch = Batch::default();
            reader.read_lines(&frame, &mut batch);
            let last = frame.lines().next_back().and_then(|line| serde_json::from_str::<Value>(line).ok());
            cursor = last.and_then(|value| find(&value, &cursor_path).and_then(as_text)).or(cursor);
            batch.position = cursor.as_ref().filter(|_| goes_on).map(|cursor| Position(json!({ "cursor": cursor })));
            let ended = batch.ended;
            outlet.put(batch).await?;
            if ended {
                return Ok(());
            }
        }
    });
    Ok(Box::new(pump))
}

/// Waits for any sign of life; a text is returned.
async fn alive(frames: &mut crate::net::Frames) -> Result<Option<String>, ChatError> {
    use futures_util::StreamExt;
    match frames.next().await {
        Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
        Some(Ok(Message::Binary(bytes))) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Some(Ok(Message::Close(_))) | None => Err(ChatError::transient(format!("{WHAT} closed the connection"))),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(ChatError::transient(format!("{WHAT} broke off: {error}"))),
    }
}
