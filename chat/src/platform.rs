//! The trait of a platform and of its connections.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{Batch, ChatError, Position};

/// A platform whose chat can be read.
pub trait Platform: Send + Sync {
    /// The name in settings and on pages, such as `youtube`.
    fn name(&self) -> &'static str;

    /// Whether a URL belongs to this platform. The generic platform recognises every URL.
    fn recognises(&self, url: &Url) -> bool;

    /// Opens the chat at a position, or where the platform begins.
    ///
    /// # Errors
    /// [`ChatError::Refused`] if only a person can help, [`ChatError::NotLive`] if the stream has not begun, and
    /// [`ChatError::Transient`] for everything that a later attempt can cure.
    fn open<'a>(
        &'a self,
        source: &'a Source,
        from: Option<&'a Position>,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, ChatError>>;
}

/// An open chat.
pub trait Connection: Send {
    /// Waits for the next events. The connection is not polled while the log cannot take more: that is the
    /// backpressure. The future can be dropped at any time without losing an event.
    ///
    /// # Errors
    /// As for [`Platform::open`]. After an error, or a batch that has [`Batch::ended`], the connection is of no use.
    fn next(&mut self) -> BoxFuture<'_, Result<Batch, ChatError>>;
}

/// The chat that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The address of the stream.
    pub url: Url,
    /// What the platform should know besides: an address of the chat, a file, a channel. Each platform documents its
    /// options. Secrets are no options.
    #[serde(default)]
    pub options: Map<String, Value>,
}

impl Source {
    /// A source without options.
    pub fn new(url: Url) -> Self {
        Self { url, options: Map::new() }
    }

    /// Sets an option.
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.insert(name.to_owned(), value.into());
        self
    }

    /// An option that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).and_then(Value::as_str)
    }
}
