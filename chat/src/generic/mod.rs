//! Any chat that speaks JSON: over HTTP, over a WebSocket, or from a file.
//!
//! # Options of a source
//! | option | what it says | default |
//! |---|---|---|
//! | `chat` | Address of the chat (`http`, `https`, `ws`, `wss`), or the name of a chat file. | the source's URL |
//! | `fields` | Where a message has what: `{"text": "data.body", "user_id": "/sender/0/id"}`. Paths have dots, or are JSON Pointers. | the usual names, see [`Mapping`] |
//! | `items` | Where an answer or a document has its messages. | the answer, `items`, `messages`, `comments`, `events`, `data` |
//! | `cursor` | Where an answer, or a message of a WebSocket, says where to go on. | `cursor`, `next_cursor`, `nextPageToken`, `next` |
//! | `cursor_parameter` | The parameter of the address that takes the cursor. | `cursor` over HTTP, none for a WebSocket |
//! | `interval` | Where an answer says how many milliseconds to wait. | `pollingIntervalMillis`, `poll_interval_ms` |
//! | `interval_ms` | How long to wait if the answer does not say it, 500 to 60000. The answer is held to the same bounds. | 2000 |
//! | `hello` | What to send when a WebSocket has opened: a text, or JSON. | nothing |
//! | `silent_ms` | How long a WebSocket may be silent before it is asked whether it lives, 1000 or more. | 60000 |
//! | `follow` | Whether a chat file grows, so that its end is no end. | false |
//! | `bots` | Names of programs that write into the chat. | none |
//!
//! Files can be exports of yt-dlp (`live_chat.json`, Twitch's `rechat.json`), of TwitchDownloader and of
//! `chat-downloader`, or lines of JSON.

mod export;
mod file;
mod mapping;
mod path;
mod poll;
mod reader;
mod socket;
mod twitch_export;

use std::{path::PathBuf, sync::Arc};

use futures_util::future::BoxFuture;
pub use mapping::Mapping;
use url::Url;

use crate::{
    ChatError, Clock, Connection, Platform, Position, Secret, Source, SystemClock,
    net::{Http, Reach, Token},
};

/// The platform for every URL that no other platform recognises.
#[derive(Debug, Clone)]
pub struct Generic {
    http: Http,
    reach: Reach,
    clock: Arc<dyn Clock>,
    tokens: Vec<(String, Secret)>,
    files: Option<PathBuf>,
}

impl Generic {
    /// A platform that reads servers without tokens, and no files.
    pub fn new() -> Self {
        let reach = Reach::default();
        Self { http: Http::new(reach), reach, clock: Arc::new(SystemClock), tokens: Vec::new(), files: None }
    }

    /// Uses another clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sends a token as `Authorization: Bearer` to one host, such as `chat.example` or `127.0.0.1:8080`, and to no
    /// other.
    pub fn token(mut self, host: impl Into<String>, token: Secret) -> Self {
        self.tokens.push((host.into(), token));
        self
    }

    /// Asks only servers in reach. Give one where strangers name the addresses.
    pub fn reach(mut self, reach: Reach) -> Self {
        (self.http, self.reach) = (Http::new(reach), reach);
        self
    }

    /// Reads chat files in a folder. Without it, no source can name a file of this machine.
    pub fn files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files = Some(folder.into());
        self
    }

    /// The token for an address.
    async fn token_for(&self, url: &Url) -> Result<Option<Token>, ChatError> {
        let host = url.host_str().unwrap_or_default();
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
        let fits = |(known, _): &&(String, Secret)| known == host || Some(known) == with_port.as_ref();
        match self.tokens.iter().find(fits) {
            Some((_, token)) => Ok(Some(Token::read(token).await?)),
            None => Ok(None),
        }
    }
}

impl Default for Generic {
    fn default() -> Self {
        Self::new()
    }
}

impl Platform for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn recognises(&self, _url: &Url) -> bool {
        true
    }

    fn open<'a>(
        &'a self,
        source: &'a Source,
        from: Option<&'a Position>,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, ChatError>> {
        Box::pin(async move {
            let reader = reader::Reader::new(source, Arc::clone(&self.clock))?;
            let address = source.text("chat").unwrap_or(source.url.as_str());
            match Url::parse(address) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => {
                    self.reach.check(poll::WHAT, &url)?;
                    let token = self.token_for(&url).await?;
                    poll::open(poll::Poll::new(self.http.clone(), url, token, source, reader, from)).await
                }
                Ok(url) if matches!(url.scheme(), "ws" | "wss") => {
                    self.reach.check(socket::WHAT, &url)?;
                    let token = self.token_for(&url).await?;
                    socket::open(url, token, self.reach, source, reader, from).await
                }
                Ok(url) if url.scheme() == "file" => {
                    let path = url.to_file_path().map_err(|()| not_an_address(address))?;
                    file::open(self.files.as_deref(), &path, source, reader, from).await
                }
                // A letter and a colon: a drive, or a name with a colon.
                Ok(url) if url.scheme().len() > 1 && url.has_host() => Err(not_an_address(address)),
                _ => file::open(self.files.as_deref(), address.as_ref(), source, reader, from).await,
            }
        })
    }
}

fn not_an_address(address: &str) -> ChatError {
    let scheme = address.split(':').next().unwrap_or_default();
    let reason = format!("a chat cannot be read over {scheme}");
    ChatError::refused(reason, "give the chat's address with http, https, ws or wss, or a chat file")
}
