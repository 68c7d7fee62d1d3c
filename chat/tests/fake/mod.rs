//! A platform that follows a script, and a clock that nobody waits for.

#![allow(dead_code, unreachable_pub)]

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tidemill_chat::{
    Batch, BoxFuture, ChatError, ChatEvent, Clock, Connection, Message, Platform, Position, Source, Url,
};

/// A clock that jumps ahead when somebody waits.
#[derive(Debug, Default)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    pub fn at(now_ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now_ms)))
    }

    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.advance(duration.as_millis() as i64);
        Box::pin(tokio::task::yield_now())
    }
}

/// What the platform does, step by step.
#[derive(Clone)]
pub enum Step {
    /// The next attempt to open succeeds, or fails so.
    Open(Result<(), ChatError>),
    /// The open connection tells this.
    Next(Result<Batch, ChatError>),
}

type Script = Arc<Mutex<VecDeque<Step>>>;

/// A platform that follows a script. After the script, nothing happens.
pub struct FakePlatform {
    script: Script,
    /// The positions at which the chat was opened.
    pub opened: Mutex<Vec<Option<Position>>>,
}

impl FakePlatform {
    pub fn following(steps: impl IntoIterator<Item = Step>) -> Arc<Self> {
        Arc::new(Self { script: Arc::new(Mutex::new(steps.into_iter().collect())), opened: Mutex::default() })
    }
}

fn pop(script: &Script) -> Option<Step> {
    script.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

impl Platform for FakePlatform {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn recognises(&self, _url: &Url) -> bool {
        true
    }

    fn open<'a>(
        &'a self,
        _source: &'a Source,
        from: Option<&'a Position>,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, ChatError>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(from.cloned());
        Box::pin(async {
            match pop(&self.script) {
                Some(Step::Open(outcome)) => {
                    outcome.map(|()| Box::new(FakeConnection(Arc::clone(&self.script))) as Box<dyn Connection>)
                }
                Some(Step::Next(_)) => panic!("the script opens the chat first"),
                None => std::future::pending().await,
            }
        })
    }
}

struct FakeConnection(Script);

impl Connection for FakeConnection {
    fn next(&mut self) -> BoxFuture<'_, Result<Batch, ChatError>> {
        Box::pin(async {
            match pop(&self.0) {
                Some(Step::Next(outcome)) => outcome,
                Some(Step::Open(_)) => panic!("the script fails before it opens the chat again"),
                None => std::future::pending().await,
            }
        })
    }
}

/// A message with this id.
pub fn message(id: &str) -> ChatEvent {
    ChatEvent::Message(Message {
        id: id.to_owned(),
        user_id: "u".to_owned(),
        text: "hi".to_owned(),
        ..Message::default()
    })
}

/// The ids of a batch's messages.
pub fn ids(batch: &Batch) -> Vec<&str> {
    batch
        .events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Message(message) => Some(message.id.as_str()),
            _ => None,
        })
        .collect()
}
