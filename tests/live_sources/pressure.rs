//! A connection waits while the log cannot take more.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::json;
use tidemill::{
    Clock as _, SystemClock,
    transport::{
        TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};
use tidemill_apps::{
    apps::{Format, live_insight},
    sources::{self, Gate, Guard, Platforms, Running, Setup},
};
use tidemill_schemas::Arrival;
use tokio::runtime::Handle;

use crate::{common::until, double::Chat, server::WAIT};

/// A gate that tests open.
#[derive(Default)]
struct Door {
    is_open: AtomicBool,
    asked: AtomicUsize,
}

impl Gate for Door {
    fn admits(&self, _records: usize) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.is_open.load(Ordering::SeqCst)
    }

    fn written(&self, _topic: &'static str, _messages: u64) {}

    fn arrival(&self) -> Arrival {
        Arrival::at(SystemClock.now_ms())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_not_read_while_the_log_cannot_take_more() {
    let (chat, log, door) = (Chat::default(), EmbeddedLog::in_memory(), Arc::new(Door::default()));
    for topic in [sources::SOURCES, sources::POSITIONS, live_insight::CHAT, live_insight::WITHDRAWALS] {
        log.create(topic, 1).expect("creates");
    }
    let source = json!({ "url": "https://chat.test/ada", "platform": "double", "wished": "running", "run": 1 });
    log.append(sources::SOURCES, 0, [Entry::new("ada", source.to_string(), 0)]).expect("appends");
    chat.says("ada", 2_000);
    let setup = Setup {
        transport: Arc::new(log.clone()),
        format: Format::Json,
        platforms: Platforms::none().with(chat.clone()),
        guard: Guard { allows_private: true },
        speech: None,
        gate: door.clone(),
        client_id: None,
        runtime: Handle::current(),
    };
    let running = Running::start(setup, |_| Ok::<_, TransportError>(1)).expect("starts");
    until(WAIT, "the gate is asked some times", async || door.asked.load(Ordering::SeqCst) > 5).await;
    // What has arrived is gathered, up to 500 messages; the last batch of seven may go beyond.
    assert_eq!(chat.handed(), 504, "only what is written together was fetched");
    let written = || log.end_offsets(live_insight::CHAT).expect("reads")[0];
    assert_eq!(written(), 0);
    door.is_open.store(true, Ordering::SeqCst);
    until(WAIT, "all messages", async || written() == 2_000).await;
    tokio::task::spawn_blocking(move || running.close()).await.expect("closes");
}
