//! A platform that tests speak through. Each stream has a list of messages, and a position is a place in it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tidemill::{Clock as _, SystemClock};
use tidemill_chat::{Batch, BoxFuture, ChatError, ChatEvent, Connection, Message, Platform, Position, Source, Url};
use tokio::sync::Notify;

#[derive(Default)]
struct Stream {
    events: Vec<ChatEvent>,
    has_ended: bool,
    is_refused: bool,
}

/// The platform.
#[derive(Clone, Default)]
pub(crate) struct Chat(Arc<Inner>);

#[derive(Default)]
struct Inner {
    streams: Mutex<HashMap<String, Stream>>,
    changed: Notify,
    connections: AtomicUsize,
    /// Events that were handed out.
    handed: AtomicUsize,
}

impl Chat {
    fn with<T>(&self, stream: &str, change: impl FnOnce(&mut Stream) -> T) -> T {
        let done = change(self.0.streams.lock().expect("nobody panicked").entry(stream.to_owned()).or_default());
        self.0.changed.notify_waiters();
        done
    }

    /// Viewers write; each text is the message's number.
    pub(crate) fn says(&self, stream: &str, count: usize) {
        self.with(stream, |one| {
            one.has_ended = false;
            let from = one.events.iter().filter(|event| matches!(event, ChatEvent::Message(_))).count();
            for number in from..from + count {
                one.events.push(ChatEvent::Message(Message {
                    id: format!("{stream}-{number}"),
                    user_id: format!("user-{number}"),
                    text: number.to_string(),
                    timestamp_ms: SystemClock.now_ms(),
                    ..Message::default()
                }));
            }
        });
    }

    pub(crate) fn deletes(&self, stream: &str, number: usize) {
        let message_id = format!("{stream}-{number}");
        self.with(stream, |one| one.events.push(ChatEvent::Deleted { message_id }));
    }

    pub(crate) fn bans(&self, stream: &str, number: usize) {
        let (user_id, timestamp_ms) = (format!("user-{number}"), SystemClock.now_ms());
        self.with(stream, |one| one.events.push(ChatEvent::Banned { user_id, timestamp_ms, until_ms: None }));
    }

    pub(crate) fn end(&self, stream: &str) {
        self.with(stream, |one| one.has_ended = true);
    }

    pub(crate) fn refuse(&self, stream: &str, is_refused: bool) {
        self.with(stream, |one| one.is_refused = is_refused);
    }

    pub(crate) fn connections(&self) -> usize {
        self.0.connections.load(Ordering::SeqCst)
    }

    /// Events that were handed out.
    pub(crate) fn handed(&self) -> usize {
        self.0.handed.load(Ordering::SeqCst)
    }
}

impl Platform for Chat {
    fn name(&self) -> &'static str {
        "double"
    }

    fn recognises(&self, url: &Url) -> bool {
        url.host_str() == Some("chat.test")
    }

    fn open<'a>(
        &'a self,
        source: &'a Source,
        from: Option<&'a Position>,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, ChatError>> {
        let stream = source.url.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
        let at = from.and_then(|Position(at)| at.as_u64()).unwrap_or(0) as usize;
        Box::pin(async move {
            if self.with(&stream, |one| one.is_refused) {
                return Err(ChatError::refused("the chat is closed", "open the chat"));
            }
            self.0.connections.fetch_add(1, Ordering::SeqCst);
            let open: Box<dyn Connection> = Box::new(Open { chat: self.clone(), stream, at });
            Ok(open)
        })
    }
}

struct Open {
    chat: Chat,
    stream: String,
    at: usize,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.chat.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connection for Open {
    fn next(&mut self) -> BoxFuture<'_, Result<Batch, ChatError>> {
        Box::pin(async move {
            loop {
                let changed = self.chat.0.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let at = self.at;
                let (events, ended) = self.chat.with_quiet(&self.stream, |one| {
                    let events: Vec<_> = one.events.iter().skip(at).take(7).cloned().collect();
                    let ended = one.has_ended && at + events.len() == one.events.len();
                    (events, ended)
                });
                if !events.is_empty() || ended {
                    self.at += events.len();
                    let position = Some(Position(json!(self.at)));
                    self.chat.0.handed.fetch_add(events.len(), Ordering::SeqCst);
                    return Ok(Batch { events, position, ended });
                }
                changed.await;
            }
        })
    }
}

impl Chat {
    fn with_quiet<T>(&self, stream: &str, look: impl FnOnce(&mut Stream) -> T) -> T {
        look(self.0.streams.lock().expect("nobody panicked").entry(stream.to_owned()).or_default())
    }
}
