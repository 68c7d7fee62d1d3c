//! The one trait that all recognisers have.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;

use crate::{SpeechError, Word};

/// A future in a box, for traits that are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Turns PCM into words, one session at a time.
pub trait Recogniser: Send + Sync {
    /// The recogniser's name, for logs: `google`.
    fn name(&self) -> &'static str;

    /// What sessions of this recogniser can take.
    fn limits(&self) -> Limits;

    /// Starts a session for audio that begins at this event time, in this language (BCP 47: `en-US`). Times of its results
    /// count from the session's first sample.
    fn start<'a>(&'a self, start_ms: i64, language: &'a str) -> BoxFuture<'a, Result<Session, SpeechError>>;
}

/// A running request to a recogniser. Dropping it ends the request.
#[derive(Debug)]
pub struct Session {
    /// Takes audio, and waits while the recogniser cannot take more. Dropping it says that no audio follows.
    pub audio: mpsc::Sender<Vec<i16>>,
    /// Gives results. It is closed when all have come; after an error, nothing follows.
    pub results: mpsc::Receiver<Result<Recognised, SpeechError>>,
}

/// A result of a session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recognised {
    /// The text with its punctuation.
    pub text: String,
    /// The words. Times are milliseconds since the session's first sample. A result that is not final may have none.
    pub words: Vec<Word>,
    /// Whether it stays. A result that is not final is replaced by the next one.
    pub is_final: bool,
    /// Of a final result: no later result has words before this time, in milliseconds since the session's first sample.
    pub until_ms: i64,
}

/// What sessions of a recogniser can take, and how they are best cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest audio of a session, in milliseconds. A new session takes over before.
    pub longest_ms: i64,
    /// From this length on, a short pause ends the session.
    pub pause_after_ms: i64,
    /// How long such a pause is.
    pub pause_ms: i64,
    /// How much of the audio both sessions get where no pause ends the first one.
    pub overlap_ms: i64,
    /// How many sessions may run at the same time, at least 1.
    pub sessions: usize,
    /// The audio that is sent in one message, in milliseconds.
    pub message_ms: i64,
    /// How long an answer may take after the last audio was sent, and how long audio may wait to be taken.
    pub answer_within_ms: u64,
}
