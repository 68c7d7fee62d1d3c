//! Listens to one source.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tidemill_speech::{Transcriber, TranscriberSettings};
use tokio::sync::{Mutex, watch};

use super::{Speech, Wish, hears::Hears, tells};
use crate::sources::{Gate, Guard, SpeechState, heard::Heard, inbox::Inbox};

/// What is needed to listen to a source.
pub(in crate::sources) struct Listening {
    pub(in crate::sources) speech: Arc<Speech>,
    pub(in crate::sources) guard: Guard,
    pub(in crate::sources) gate: Arc<dyn Gate>,
    pub(in crate::sources) wish: Wish,
    /// The event time of the first sample of a recording that does not tell its times.
    pub(in crate::sources) origin_ms: i64,
    /// Speech up to this event time is in the transcript.
    pub(in crate::sources) position_ms: Option<i64>,
    /// Whether the chat has ended: then a stream that cannot be heard is over.
    pub(in crate::sources) is_over: Arc<AtomicBool>,
    pub(in crate::sources) seed: u64,
    pub(in crate::sources) inbox: Inbox,
}

impl Listening {
    /// Listens until the stream ends, a person must act, or nobody takes what is heard any more. Audio is taken only while
    /// what was said before is on the log: that is the backpressure.
    pub(in crate::sources) async fn run(self) {
        let Self { speech, guard, gate, wish, origin_ms, position_ms, is_over, seed, inbox } = self;
        let settings = TranscriberSettings { seed, ..speech.transcriber.clone() };
        let transcriber = speech.recogniser.clone().map(|recogniser| Transcriber::start(recogniser, settings));
        let (ear, transcript) = transcriber.unzip();
        let (state, states) = watch::channel(SpeechState::Connecting);
        let writing = Mutex::new(());
        let is_over = || is_over.load(Ordering::SeqCst);
        let hears = Hears {
            hearing: &*speech.hearing,
            guard,
            gate: &*gate,
            wish: &wish,
            origin_ms,
            position_ms,
            is_over: &is_over,
            seed,
            ear,
            inbox: &inbox,
            state,
            writing: &writing,
        };
        if inbox.put(Heard::Began { origin_ms }).await.is_err() {
            return;
        }
        let (ended, told) = tokio::join!(hears.run(), tells::run(transcript, states, &*gate, &inbox, &writing));
        if told.is_ok() {
            // Nobody may take it any more.
            let _ = inbox.put(Heard::State(ended)).await;
        }
    }
}
