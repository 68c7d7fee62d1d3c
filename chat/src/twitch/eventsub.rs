//! The chat by EventSub over a WebSocket.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use super::{
    event::Reader,
    helix::{Helix, Subscribed},
};
use crate::{
    Batch, ChatError, Connection, Outlet, Pump,
    net::{Frames, Heard, Joining, Reach, Relay, connect, text},
};

const WHAT: &str = "Twitch's EventSub";
const WELCOME: Duration = Duration::from_secs(15);
/// Twitch says how long it is silent at most. A network needs a little more.
const GRACE: Duration = Duration::from_secs(5);
/// What is subscribed to. The chat comes last: what is sent before all is ready would be lost with a failure.
const KINDS: [&str; 5] =
    [OFFLINE, "channel.chat.notification", "channel.chat.message_delete", "channel.chat.clear_user_messages", CHAT];
const CHAT: &str = "channel.chat.message";
const OFFLINE: &str = "stream.offline";

/// Opens a session and subscribes it to the chat. With `until_offline`, the chat ends with the stream.
pub(super) async fn open(
    address: &str,
    helix: Helix,
    broadcaster: String,
    reader: Reader,
    until_offline: bool,
) -> Result<Box<dyn Connection>, ChatError> {
    let (frames, session) = join(address.to_owned()).await?;
    for kind in KINDS.into_iter().filter(|kind| until_offline || *kind != OFFLINE) {
        let subscribed = helix.subscribe(kind, &broadcaster, &session.id).await?;
        if let (CHAT, Subscribed::Forbidden) = (kind, subscribed) {
            let remedy = "give a user access token with the scope user:read:chat, or set the option transport to irc";
            return Err(ChatError::refused("the token may not read the chat", remedy));
        }
    }
    let relay = Relay::new(WHAT, (frames, None));
    let silent = session.silent;
    Ok(Box::new(Pump::run(|outlet| read(relay, silent, helix, broadcaster, reader, outlet))))
}

/// A session as the server's welcome tells it.
struct Session {
    id: String,
    silent: Duration,
}

/// Connects and waits for the welcome.
async fn join(address: String) -> Result<(Frames, Session), ChatError> {
    let url = Url::parse(&address)
        .map_err(|_| ChatError::refused("the address of EventSub is wrong", "give an address with wss:"))?;
    let mut frames = connect(WHAT, &url, None, Reach::default()).await?;
    let said = timeout(WELCOME, text(WHAT, &mut frames)).await;
    let said = said.map_err(|_| ChatError::transient(format!("{WHAT} does not welcome the connection")))??;
    let welcome: Value = serde_json::from_str(&said).unwrap_or_default();
    let session = welcome.pointer("/payload/session");
    let id = session.and_then(|session| session.get("id")?.as_str()).unwrap_or_default();
    if kind(&welcome) != "session_welcome" || id.is_empty() {
        return Err(ChatError::transient(format!("{WHAT} sent no welcome")));
    }
    let silent = session.and_then(|session| session.get("keepalive_timeout_seconds")?.as_u64()).unwrap_or(10);
    let session = Session { id: id.to_owned(), silent: Duration::from_secs(silent.clamp(1, 600)) + GRACE };
    Ok((frames, session))
}

async fn read(
    mut relay: Relay,
    silent: Duration,
    helix: Helix,
    broadcaster: String,
    mut reader: Reader,
    outlet: Outlet,
) -> Result<(), ChatError> {
    loop {
        let Heard::Text(said) = relay.next(silent).await? else {
            return Err(ChatError::transient(format!("{WHAT} is silent")));
        };
        // Something that is no JSON was not sent by Twitch.
        let Ok(said) = serde_json::from_str::<Value>(&said) else { continue };
        let mut batch = Batch::default();
        match kind(&said) {
            "notification" => reader.read_notification(&said, &broadcaster, &mut batch),
            "session_reconnect" => {
                let next = said.pointer("/payload/session/reconnect_url").and_then(Value::as_str);
                let next = next.ok_or_else(|| ChatError::transient(format!("{WHAT} asks for another connection")))?;
                let next = next.to_owned();
                // The subscriptions follow the session.
                let joining: Joining = Box::pin(async move { join(next).await.map(|(frames, _)| (frames, None)) });
                relay.go_to(joining);
            }
            "revocation" => {
                let status = said.pointer("/payload/subscription/status").and_then(Value::as_str).unwrap_or_default();
                return Err(match status {
                    "authorization_revoked" => helix.revoked(),
                    "user_removed" => ChatError::refused("Twitch knows the channel no more", "check the address"),
                    _ => ChatError::transient(format!("{WHAT} revoked the subscription ({status})")),
                });
            }
            _ => {}
        }
        if batch.ended || !batch.events.is_empty() {
            let ended = batch.ended;
            while ended && let Some(said) = relay.rest().await {
                if let Ok(said) = serde_json::from_str::<Value>(&said) {
                    reader.read_notification(&said, &broadcaster, &mut batch);
                }
            }
            batch.position = Some(super::now());
            outlet.put(batch).await?;
            if ended {
                return Ok(());
            }
        }
    }
}

fn kind(said: &Value) -> &str {
    said.pointer("/metadata/message_type").and_then(Value::as_str).unwrap_or_default()
}
