//! Twitch: the chat by EventSub over a WebSocket, or by IRC.
//!
//! A source's URL names a channel: `twitch.tv/name`. With a token that has the scope `user:read:chat`, the chat comes by
//! EventSub, and the source ends with the stream. Without a token it comes by IRC, which tells neither whether the stream
//! has begun nor when it ends.
//!
//! Twitch keeps no history: what is written while nobody is connected cannot be read later. When Twitch asks to go to
//! another connection, both are read until the old one is closed.
//!
//! # Options of a source
//! | option | what it says | default |
//! |---|---|---|
//! | `transport` | `eventsub` or `irc`. | `eventsub` with a token, otherwise `irc` |
//! | `offline` | Whether the chat is read while the channel streams nothing. | false |
//! | `shared_chat` | Whether messages count that viewers of another channel write into a shared chat. | true |
//! | `bots` | Names of programs that write into the chat. | none |

mod address;
mod event;
mod eventsub;
mod helix;
mod irc;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use url::Url;

use crate::{
    ChatError, Clock, Connection, Platform, Position, Secret, Source, SystemClock,
    field::Tidy,
    net::{Http, Reach, Token},
};
use helix::Helix;

/// Where Twitch's servers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwitchServers {
    /// The API, without the path `/helix`. Default: `https://api.twitch.tv`.
    pub api: String,
    /// The server of tokens. Default: `https://id.twitch.tv`.
    pub id: String,
    /// EventSub's WebSocket. Default: `wss://eventsub.wss.twitch.tv/ws`.
    pub eventsub: String,
    /// IRC's WebSocket. Default: `wss://irc-ws.chat.twitch.tv:443`.
    pub irc: String,
}

impl Default for TwitchServers {
    fn default() -> Self {
        Self {
            api: "https://api.twitch.tv".to_owned(),
            id: "https://id.twitch.tv".to_owned(),
            eventsub: "wss://eventsub.wss.twitch.tv/ws".to_owned(),
            irc: "wss://irc-ws.chat.twitch.tv:443".to_owned(),
        }
    }
}

/// The chats of Twitch.
#[derive(Debug, Clone)]
pub struct Twitch {
    http: Http,
    servers: TwitchServers,
    token: Option<Secret>,
    clock: Arc<dyn Clock>,
}

impl Twitch {
    /// Reads as the account of a user access token. User tokens last some hours: give a secret that renews itself, a file
    /// or a command.
    pub fn with_token(token: Secret) -> Self {
        Self::new(Some(token))
    }

    /// Reads by IRC without an account.
    pub fn anonymous() -> Self {
        Self::new(None)
    }

    fn new(token: Option<Secret>) -> Self {
        Self {
            http: Http::new(Reach::default()),
            servers: TwitchServers::default(),
            token,
            clock: Arc::new(SystemClock),
        }
    }

    /// Uses another clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Asks other servers than Twitch's.
    pub fn servers(mut self, servers: TwitchServers) -> Self {
        self.servers = servers;
        self
    }

    async fn read_token(&self) -> Result<Option<Token>, ChatError> {
        match &self.token {
            Some(secret) => Token::read(secret).await.map(Some),
            None => Ok(None),
        }
    }
}

impl Platform for Twitch {
    fn name(&self) -> &'static str {
        "twitch"
    }

    fn recognises(&self, url: &Url) -> bool {
        address::recognises(url)
    }

    fn open<'a>(
        &'a self,
        source: &'a Source,
        _from: Option<&'a Position>,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, ChatError>> {
        Box::pin(async move {
            let channel = address::channel(&source.url).ok_or_else(|| {
                ChatError::refused("the address names no channel", "give an address such as twitch.tv/name")
            })?;
            let tidy = Tidy::new(source, Arc::clone(&self.clock));
            let shared = source.options.get("shared_chat") != Some(&Value::Bool(false));
            let reader = event::Reader::new(tidy, shared);
            let token = self.read_token().await?;
            match (source.text("transport"), token) {
                (None | Some("eventsub"), Some(token)) => {
                    let helix = Helix::log_in(&self.http, &self.servers, token).await?;
                    let broadcaster = helix.broadcaster(&channel).await?;
                    let offline = source.options.get("offline") == Some(&Value::Bool(true));
                    if !offline && !helix.is_live(&broadcaster).await? {
                        return Err(ChatError::not_live("the channel streams nothing now"));
                    }
                    eventsub::open(&self.servers.eventsub, helix, broadcaster, reader, !offline).await
                }
                (Some("eventsub"), None) => {
                    let remedy = "set a user access token with the scope user:read:chat, or read by irc";
                    Err(ChatError::refused("EventSub needs a token", remedy))
                }
                (None | Some("irc"), token) => {
                    let account = match token {
                        Some(token) => Some(Helix::log_in(&self.http, &self.servers, token).await?.account()),
                        None => None,
                    };
                    irc::open(&self.servers.irc, channel, account, reader).await
                }
                (Some(other), _) => {
                    Err(ChatError::refused(format!("the option transport is {other:?}"), "give eventsub or irc"))
                }
            }
        })
    }
}

/// Where each chat goes on. Twitch tells nothing of the past, so few ids need to cross a restart.
fn now() -> Position {
    Position("now".into())
}
