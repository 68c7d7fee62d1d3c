//! YouTube: the chat as a stream over gRPC (`liveChatMessages.streamList`), or polled over REST.
//!
//! A source's URL names a video (`watch?v=`, `youtu.be/`, `/live/`), or a channel (`/@name`, `/channel/`), of which the
//! stream that is live now is read. Finding the chat costs one unit of the API's quota for a video and three for a
//! channel; opening the chat costs five.
//!
//! # Options of a source
//! | option | what it says | default |
//! |---|---|---|
//! | `live_chat_id` | The chat, if it is known. Then nothing is looked up. | looked up |
//! | `transport` | `stream`, or `poll` where no gRPC passes. | `stream`, and `poll` where the server knows no stream |
//! | `bots` | Names of programs that write into the chat. | none |

mod address;
mod item;
mod poll;
mod rest;
mod stream;
mod trouble;
mod video;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use url::Url;

use crate::{
    ChatError, Clock, Connection, Platform, Position, Secret, Source, SystemClock,
    field::Tidy,
    net::{Http, Reach},
    pump::over,
};
use rest::{Credential, Rest};
use trouble::Trouble;
use video::Found;

/// The generated client of `proto/youtube_live_chat.proto`.
#[allow(dead_code, missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/youtube.api.v3.rs"));
}

/// So far apart messages may come in the wrong order.
const DISORDER_MS: i64 = 5_000;
const REST: &str = "https://www.googleapis.com";
const GRPC: &str = "https://youtube.googleapis.com";

/// The chats of YouTube.
#[derive(Debug, Clone)]
pub struct Youtube {
    rest: Rest,
    grpc: String,
    clock: Arc<dyn Clock>,
}

impl Youtube {
    /// Reads with an API key. Chats of public streams need no more.
    pub fn with_api_key(key: Secret) -> Self {
        Self::with(Credential::ApiKey(key))
    }

    /// Reads with an OAuth 2.0 access token, also chats that only the token's account can see. Give a secret that renews
    /// itself, a file or a command: such tokens last an hour.
    pub fn with_oauth(token: Secret) -> Self {
        Self::with(Credential::OAuth(token))
    }

    fn with(credential: Credential) -> Self {
        let rest = Rest::new(Http::new(Reach::default()), REST, credential);
        Self { rest, grpc: GRPC.to_owned(), clock: Arc::new(SystemClock) }
    }

    /// Uses another clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Asks other servers than Google's: the addresses of REST and of gRPC, without a path.
    pub fn servers(mut self, rest: &str, grpc: &str) -> Self {
        self.rest.address(rest);
        grpc.trim_end_matches('/').clone_into(&mut self.grpc);
        self
    }

    async fn find(&self, source: &Source, from: Option<&At>) -> Result<Found, ChatError> {
        if let Some(chat) = source.text("live_chat_id") {
            return Ok(Found::Chat { video: String::new(), chat: chat.to_owned() });
        }
        video::find(&self.rest, &source.url, from.map(|at| at.video.as_str()), self.clock.now_ms()).await
    }
}

/// Where a chat goes on.
#[derive(Debug, Clone, Default)]
struct At {
    /// The video; empty if the chat was given.
    video: String,
    chat: String,
    /// The token of the next page.
    page: Option<String>,
    /// When the newest message was written that came until now, in epoch milliseconds.
    newest_ms: i64,
    /// What was written earlier came before the server forgot where the chat went on.
    after_ms: i64,
}

impl At {
    fn of(position: &Position) -> Option<Self> {
        let text = |name: &str| position.0.get(name)?.as_str().map(str::to_owned);
        let moment = |name: &str| position.0.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0);
        let (newest_ms, after_ms) = (moment("newest_ms"), moment("after_ms"));
        Some(Self { video: text("video")?, chat: text("chat")?, page: text("page"), newest_ms, after_ms })
    }

    fn position(&self) -> Position {
        let Self { video, chat, page, newest_ms, after_ms } = self;
        Position(serde_json::json!({
            "video": video, "chat": chat, "page": page, "newest_ms": newest_ms, "after_ms": after_ms,
        }))
    }

    /// Begins anew, because the server has forgotten the page. The history comes again: what is older than the newest
    /// messages is left out by its time, and the others by their ids.
    fn begin_anew(&mut self) {
        self.page = None;
        self.after_ms = self.newest_ms.saturating_sub(DISORDER_MS);
    }

    /// Whether something that was written then did not come before, as far as its time tells.
    fn admits(&mut self, written_ms: Option<i64>) -> bool {
        self.newest_ms = self.newest_ms.max(written_ms.unwrap_or(0));
        written_ms.is_none_or(|written_ms| written_ms >= self.after_ms)
    }
}

impl Platform for Youtube {
    fn name(&self) -> &'static str {
        "youtube"
    }

    fn recognises(&self, url: &Url) -> bool {
        address::recognises(url)
    }

    fn open<'a>(
        &'a self,
        source: &'a Source,
        from: Option<&'a Position>,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, ChatError>> {
        Box::pin(async move {
            let from = from.and_then(At::of);
            let (video, chat) = match self.find(source, from.as_ref()).await? {
                Found::Chat { video, chat } => (video, chat),
                Found::Over => return Ok(over()),
            };
            // A token leads on in its own chat only.
            let from = from.filter(|at| at.chat == chat).unwrap_or_default();
            let mut at = At { video, chat, ..from };
            let tidy = Tidy::new(source, Arc::clone(&self.clock));
            let opened = match source.text("transport") {
                None | Some("stream") => {
                    let stream = stream::Stream { rest: &self.rest, server: &self.grpc, clock: &self.clock };
                    match stream.open(&mut at).await {
                        Err(Trouble::NoStream) => poll::open(&self.rest, at, tidy).await,
                        opened => opened.map(|stream| stream.run(at, tidy)),
                    }
                }
                Some("poll") => poll::open(&self.rest, at, tidy).await,
                Some(other) => {
                    let reason = format!("the option transport is {other:?}");
                    return Err(ChatError::refused(reason, "give stream or poll"));
                }
            };
            match opened {
                Err(Trouble::Over) => Ok(over()),
                opened => opened.map_err(|trouble| trouble.told(source.text("live_chat_id").is_some())),
            }
        })
    }
}
