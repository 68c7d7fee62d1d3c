//! A recogniser in this process that breaks as told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tidemill_speech::{BoxFuture, Limits, Recognised, Recogniser, Session, SpeechError, Word};
use tidemill_speech_server::{Heard, Hearing, Script};
use tokio::sync::mpsc;

/// Decides by a session's number and the milliseconds that it heard whether the session breaks.
pub type Breaks = fn(u64, i64) -> Option<SpeechError>;

/// Hears the script. Final results come after each eighth word.
pub struct InProcess {
    pub script: Arc<Script>,
    pub limits: Limits,
    pub jitter_ms: i64,
    pub breaks: Breaks,
    pub sessions: AtomicU64,
}

impl InProcess {
    pub fn new(script: &Script, limits: Limits, jitter_ms: i64, breaks: Breaks) -> Arc<Self> {
        Arc::new(Self { script: Arc::new(script.clone()), limits, jitter_ms, breaks, sessions: AtomicU64::new(0) })
    }
}

impl Recogniser for InProcess {
    fn name(&self) -> &'static str {
        "in-process"
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn start<'a>(&'a self, _start_ms: i64, _language: &'a str) -> BoxFuture<'a, Result<Session, SpeechError>> {
        Box::pin(async move {
            let number = self.sessions.fetch_add(1, Relaxed);
            if let Some(error) = (self.breaks)(number, 0) {
                return Err(error);
            }
            let (audio, mut heard) = mpsc::channel::<Vec<i16>>(4);
            let (say, results) = mpsc::channel(4);
            let mut hearing = Hearing::new(Arc::clone(&self.script), self.jitter_ms, number);
            let breaks = self.breaks;
            tokio::spawn(async move {
                let mut kept = Vec::new();
                while let Some(samples) = heard.recv().await {
                    hearing.feed(&samples);
                    if let Some(error) = breaks(number, hearing.heard_ms()) {
                        let _ = say.send(Err(error)).await;
                        return;
                    }
                    kept.extend(hearing.words(200));
                    while kept.len() >= 8 {
                        let rest = kept.split_off(8);
                        let _ = say.send(Ok(result(std::mem::replace(&mut kept, rest)))).await;
                    }
                }
                kept.extend(hearing.rest());
                let _ = say.send(Ok(result(kept))).await;
            });
            Ok(Session { audio, results })
        })
    }
}

fn result(heard: Vec<Heard>) -> Recognised {
    let until_ms = heard.last().map_or(0, |word| word.end_ms);
    let words = heard.into_iter().map(|word| Word::new(word.text, word.start_ms, word.end_ms)).collect();
    Recognised { text: String::new(), words, is_final: true, until_ms }
}
