//! The chat by IRC over a WebSocket.

mod event;
mod line;

use std::time::Duration;

use futures_util::SinkExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;
use url::Url;

use super::{event::Reader, helix::Account};
use crate::{
    Batch, ChatError, Connection, Outlet, Pump,
    net::{Frames, Heard, Joined, Joining, Reach, Relay, Token, connect, text, unauthorised},
};
use line::Line;

const WHAT: &str = "Twitch's IRC";
/// How long the server may take to let a reader in.
const JOIN: Duration = Duration::from_secs(15);
/// How long the line may be silent before the server is asked, and before it counts as dead.
const SILENT: Duration = Duration::from_secs(60);

/// What a reader says when it comes.
#[derive(Debug, Clone)]
struct Visit {
    url: Url,
    channel: String,
    login: String,
    token: Option<Token>,
}

/// Joins a channel, as an account or as nobody.
pub(super) async fn open(
    address: &str,
    channel: String,
    account: Option<Account>,
    reader: Reader,
) -> Result<Box<dyn Connection>, ChatError> {
    let url = Url::parse(address)
        .map_err(|_| ChatError::refused("the address of Twitch's IRC is wrong", "give an address with wss:"))?;
    let (login, token) = match account {
        Some(Account { login, token }) => (login, Some(token)),
        // Twitch lets readers with such a name in without a token.
        None => ("justinfan48213".to_owned(), None),
    };
    let visit = Visit { url, channel, login, token };
    let relay = Relay::new(WHAT, join(visit.clone()).await?);
    Ok(Box::new(Pump::run(|outlet| read(relay, visit, reader, outlet))))
}

/// Connects and joins the channel.
async fn join(visit: Visit) -> Result<Joined, ChatError> {
    let Visit { url, channel, login, token } = visit;
    let mut frames = connect(WHAT, &url, None, Reach::default()).await?;
    say(&mut frames, "CAP REQ :twitch.tv/tags twitch.tv/commands").await?;
    if let Some(token) = &token {
        say(&mut frames, &format!("PASS oauth:{}", token.text)).await?;
    }
    say(&mut frames, &format!("NICK {login}")).await?;
    say(&mut frames, &format!("JOIN #{channel}")).await?;
    let renews = token.is_some_and(|token| token.renews);
    match timeout(JOIN, joined(&mut frames, renews)).await {
        Ok(heard) => heard.map(|heard| (frames, Some(heard))),
        Err(_) => Err(ChatError::transient(format!("{WHAT} does not let the reader in"))),
    }
}

/// Waits until the channel is joined: the server tells the end of the list of names, or the state of the room. Returns
/// everything that was heard, because messages may be among it.
async fn joined(frames: &mut Frames, renews: bool) -> Result<String, ChatError> {
    let mut heard = String::new();
    loop {
        let said = text(WHAT, frames).await?;
        heard.push_str(&said);
        let mut is_in = false;
        for line in said.lines().filter_map(Line::parse) {
            match line.command {
                "ROOMSTATE" | "366" => is_in = true,
                "NOTICE"
                    if line.text.contains("authentication failed") || line.text.contains("Improperly formatted") =>
                {
                    return Err(unauthorised(WHAT, "the token", renews));
                }
                "NOTICE" if line.tag("msg-id").as_deref() == Some("msg_channel_suspended") => {
                    return Err(ChatError::refused("the channel does not exist or is suspended", "check the address"));
                }
                "RECONNECT" => return Err(ChatError::transient(format!("{WHAT} asks to come again"))),
                _ => {}
            }
        }
        if is_in {
            return Ok(heard);
        }
    }
}

async fn read(mut relay: Relay, visit: Visit, mut reader: Reader, outlet: Outlet) -> Result<(), ChatError> {
    let mut asked = false;
    loop {
        let said = match relay.next(SILENT).await? {
            Heard::Text(said) => said,
            Heard::Silence if asked => return Err(ChatError::transient(format!("{WHAT} is silent"))),
            Heard::Silence => {
                asked = true;
                say(relay.current(), "PING :tidemill").await?;
                continue;
            }
        };
        asked = false;
        let mut batch = Batch::default();
        for line in said.lines().filter_map(Line::parse) {
            match line.command {
                "PING" => say(relay.current(), &format!("PONG :{}", line.text)).await?,
                "RECONNECT" => {
                    let joining: Joining = Box::pin(join(visit.clone()));
                    relay.go_to(joining);
                }
                _ => event::read(&mut reader, &line, &mut batch),
            }
        }
        if !batch.events.is_empty() {
            batch.position = Some(super::now());
            outlet.put(batch).await?;
        }
    }
}

async fn say(frames: &mut Frames, line: &str) -> Result<(), ChatError> {
    let broken = |error| ChatError::transient(format!("{WHAT} broke off: {error}"));
    frames.send(tungstenite::Message::text(format!("{line}\r\n"))).await.map_err(broken)
}
