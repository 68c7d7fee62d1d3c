//! Audio, captions and a recogniser that tests control. Each second of audio holds one word: the number of the second.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tidemill::{Clock as _, SystemClock};
use tidemill_apps::sources::{CaptionsWanted, Hearing, Opening, Sound, Speech};
use tidemill_chat::{BoxFuture, Url};
use tidemill_media::{AudioState, Caption, Given, MediaError, Pcm};
use tidemill_speech::{Limits, Recognised, Recogniser, Session, SpeechError, TranscriberSettings, Word};
use tokio::sync::mpsc;

/// How long a word is.
const WORD_MS: i64 = 500;

#[derive(Default)]
struct Tape {
    seconds: i64,
    error: Option<MediaError>,
    has_captions: bool,
}

/// Streams with their audio.
#[derive(Clone)]
pub(crate) struct Studio(Arc<Inner>);

struct Inner {
    begin_ms: i64,
    tapes: Mutex<HashMap<String, Tape>>,
    opened: Mutex<Vec<Opening>>,
    running: AtomicUsize,
    given: AtomicUsize,
    is_refused: AtomicBool,
    sessions: AtomicUsize,
}

impl Studio {
    pub(crate) fn new() -> Self {
        let begin_ms = SystemClock.now_ms() - 1_200_000;
        let [running, given, sessions] = [0; 3].map(AtomicUsize::new);
        let (tapes, opened, is_refused) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Self(Arc::new(Inner { begin_ms, tapes, opened, running, given, is_refused, sessions }))
    }

    /// What listens to this studio.
    pub(crate) fn speech(&self) -> Arc<Speech> {
        let transcriber = TranscriberSettings {
            gate: None,
            buffer_ms: 1_000,
            idle_ms: 50,
            pause_ms: 5,
            ..TranscriberSettings::default()
        };
        let recogniser: Arc<dyn Recogniser> = Arc::new(self.clone());
        let captions = CaptionsWanted::Prefer;
        Arc::new(Speech { hearing: Arc::new(self.clone()), recogniser: Some(recogniser), transcriber, captions })
    }

    fn with<T>(&self, stream: &str, change: impl FnOnce(&mut Tape) -> T) -> T {
        change(self.0.tapes.lock().expect("nobody panicked").entry(stream.to_owned()).or_default())
    }

    /// The streamer speaks so many seconds more.
    pub(crate) fn says(&self, stream: &str, seconds: i64) {
        self.with(stream, |tape| tape.seconds += seconds);
    }

    /// The stream carries its words as captions.
    pub(crate) fn captions(&self, stream: &str) {
        self.with(stream, |tape| tape.has_captions = true);
    }

    /// The audio ends so after what was said.
    pub(crate) fn fails(&self, stream: &str, error: MediaError) {
        self.with(stream, |tape| tape.error = Some(error));
    }

    /// The recogniser refuses to work, or works again.
    pub(crate) fn refuse(&self, is_refused: bool) {
        self.0.is_refused.store(is_refused, Ordering::SeqCst);
    }

    /// When a second began.
    pub(crate) fn at(&self, second: i64) -> i64 {
        self.0.begin_ms + second * 1_000
    }

    pub(crate) fn opened(&self) -> Vec<Opening> {
        self.0.opened.lock().expect("nobody panicked").clone()
    }

    /// Sounds that are open.
    pub(crate) fn running(&self) -> usize {
        self.0.running.load(Ordering::SeqCst)
    }

    /// How often the recogniser was asked.
    pub(crate) fn sessions(&self) -> usize {
        self.0.sessions.load(Ordering::SeqCst)
    }

    /// Seconds that were taken.
    pub(crate) fn given(&self) -> usize {
        self.0.given.load(Ordering::SeqCst)
    }
}

impl Hearing for Studio {
    fn open(&self, url: &Url, opening: Opening) -> Box<dyn Sound> {
        self.0.opened.lock().expect("nobody panicked").push(opening);
        self.0.running.fetch_add(1, Ordering::SeqCst);
        let stream = url.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
        let has_captions = opening.captions != CaptionsWanted::Off && self.with(&stream, |tape| tape.has_captions);
        let done_ms = opening.after_ms.map_or(0, |after_ms| after_ms - self.0.begin_ms);
        Box::new(Playing { studio: self.clone(), stream, next: (done_ms + 999).div_euclid(1_000), has_captions })
    }
}

struct Playing {
    studio: Studio,
    stream: String,
    next: i64,
    has_captions: bool,
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.studio.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Sound for Playing {
    fn next(&mut self) -> BoxFuture<'_, Result<Given, MediaError>> {
        Box::pin(async move {
            loop {
                let second = self.next;
                let (is_there, error) =
                    self.studio.with(&self.stream, |tape| (second < tape.seconds, tape.error.clone()));
                if is_there {
                    self.next += 1;
                    self.studio.0.given.fetch_add(1, Ordering::SeqCst);
                    let start_ms = self.studio.at(second);
                    if self.has_captions {
                        let (text, end_ms) = (second.to_string(), start_ms + WORD_MS);
                        return Ok(Given::Caption(Caption { text, start_ms, end_ms }));
                    }
                    let mut samples = vec![0; 16_000];
                    samples[0] = i16::try_from(second + 1).expect("a short tape");
                    return Ok(Given::Pcm(Pcm { samples, start_ms }));
                }
                if let Some(error) = error {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    }

    fn state(&self) -> AudioState {
        if self.has_captions { AudioState::Captions } else { AudioState::Reading }
    }
}

impl Recogniser for Studio {
    fn name(&self) -> &'static str {
        "studio"
    }

    fn limits(&self) -> Limits {
        Limits {
            // No seams: a word that a double says has no neighbours to be recognised by.
            longest_ms: 1_200_000,
            pause_after_ms: 1_200_000,
            pause_ms: 320,
            overlap_ms: 0,
            sessions: 2,
            message_ms: 96,
            answer_within_ms: 60_000,
        }
    }

    fn start<'a>(&'a self, _: i64, _: &'a str) -> BoxFuture<'a, Result<Session, SpeechError>> {
        self.0.sessions.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if self.0.is_refused.load(Ordering::SeqCst) {
                let (reason, remedy) = ("the key is wrong".to_owned(), "set another key".to_owned());
                return Err(SpeechError::Refused { reason, remedy });
            }
            let (audio, mut heard) = mpsc::channel::<Vec<i16>>(8);
            let (say, results) = mpsc::channel(8);
            tokio::spawn(async move {
                let mut at = 0_i64;
                while let Some(samples) = heard.recv().await {
                    for sample in samples {
                        if sample != 0 {
                            let (text, start_ms) = ((sample - 1).to_string(), at / 16);
                            let words = vec![Word::new(&text, start_ms, start_ms + WORD_MS)];
                            let word = Recognised { text, words, is_final: true, until_ms: start_ms };
                            if say.send(Ok(word)).await.is_err() {
                                return;
                            }
                        }
                        at += 1;
                    }
                }
            });
            Ok(Session { audio, results })
        })
    }
}
