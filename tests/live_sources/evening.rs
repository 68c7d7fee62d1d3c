//! A log with streams whose chat and audio tests control, and the sources that run on it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use tidemill::{
    Clock as _, SystemClock, partition_for,
    transport::{
        TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};
use tidemill_apps::{
    apps::{Format, live_insight},
    sources::{self, Gate, Guard, Platforms, Running, Setup, Speech, SpeechProgress, SpeechState},
};
use tidemill_schemas::Arrival;
use tokio::runtime::Handle;

use crate::{common::until, double::Chat, server::WAIT, studio::Studio};

const PARTITIONS: i32 = 2;

/// A gate that tests open. Events are kept for an hour.
pub(crate) struct Door(pub(crate) AtomicBool);

impl Gate for Door {
    fn admits(&self, _records: usize) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn written(&self, _topic: &'static str, _events: u64) {}

    fn arrival(&self) -> Arrival {
        Arrival { kept_ms: 3_600_000, ..Arrival::at(SystemClock.now_ms()) }
    }
}

/// A log with streams of a chat and a studio.
pub(crate) struct Evening {
    pub(crate) chat: Chat,
    pub(crate) studio: Studio,
    pub(crate) log: EmbeddedLog,
    pub(crate) door: Arc<Door>,
}

impl Evening {
    pub(crate) fn new() -> Self {
        let log = EmbeddedLog::in_memory();
        let of_live = [live_insight::CHAT, live_insight::TRANSCRIPT, live_insight::WITHDRAWALS];
        for topic in of_live.into_iter().chain([sources::SOURCES, sources::POSITIONS]) {
            log.create(topic, PARTITIONS).expect("creates");
        }
        let door = Arc::new(Door(AtomicBool::new(true)));
        Self { chat: Chat::default(), studio: Studio::new(), log, door }
    }

    pub(crate) fn start(&self, guard: Guard, speech: Option<Arc<Speech>>) -> Running {
        let setup = Setup {
            transport: Arc::new(self.log.clone()),
            format: Format::Json,
            platforms: Platforms::none().with(self.chat.clone()),
            guard,
            speech,
            gate: self.door.clone(),
            client_id: None,
            runtime: Handle::current(),
        };
        Running::start(setup, |_| Ok::<_, TransportError>(PARTITIONS)).expect("starts")
    }

    pub(crate) fn open(&self) -> Running {
        self.start(Guard { allows_private: true }, Some(self.studio.speech()))
    }

    /// Writes the source of a stream; `None` erases it.
    pub(crate) fn put(&self, id: &str, source: Option<Value>) {
        let entry = Entry::new(id.to_owned(), source.as_ref().map(Value::to_string).unwrap_or_default(), 0);
        let entry = if source.is_some() { entry } else { Entry { value: None, ..entry } };
        self.log.append(sources::SOURCES, partition_for(Some(id.as_bytes()), PARTITIONS), [entry]).expect("appends");
    }

    pub(crate) fn wish(&self, id: &str, wished: &str, run: i64, options: &Value) {
        let url = format!("https://chat.test/{id}");
        let source = json!({ "url": url, "platform": "double", "wished": wished, "run": run, "options": options });
        self.put(id, Some(source));
    }

    pub(crate) fn run(&self, id: &str) {
        self.wish(id, "running", 1, &json!({}));
    }

    /// The values of a topic's records of a stream.
    pub(crate) fn written(&self, topic: &str, id: &str) -> Vec<Value> {
        let all = self.log.read_all(topic).expect("reads").into_iter().map(|(_, record)| record);
        let of_stream = all.filter(|record| record.key.as_deref() == Some(id.as_bytes()));
        of_stream.map(|record| serde_json::from_slice(&record.value.expect("a value")).expect("JSON")).collect()
    }

    /// The words of a stream's transcript.
    pub(crate) fn words(&self, id: &str) -> Vec<i64> {
        let all = self.written(live_insight::TRANSCRIPT, id);
        let texts = all.iter().filter_map(|segment| segment["text"].as_str()).flat_map(str::split_whitespace);
        texts.map(|word| word.parse().expect("a number")).collect()
    }

    pub(crate) async fn until_said(&self, id: &str, words: usize) {
        until(WAIT, "the words are written", async || self.words(id).len() >= words).await;
    }
}

pub(crate) fn speech_of(running: &Running, id: &str) -> Option<SpeechProgress> {
    running.view().get(id)?.progress?.speech
}

pub(crate) async fn until_speech(running: &Running, id: &str, holds: impl Fn(&SpeechState) -> bool) -> SpeechProgress {
    until(WAIT, "the speech is so", async || speech_of(running, id).is_some_and(|speech| holds(&speech.state))).await;
    speech_of(running, id).expect("it was there")
}

pub(crate) async fn close(running: Running) {
    tokio::task::spawn_blocking(move || running.close()).await.expect("closes");
}
