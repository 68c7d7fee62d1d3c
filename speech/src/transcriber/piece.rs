//! A piece of speech on its way from the gate through the recogniser to the transcript.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::framer::FRAME_MS;
use crate::{SpeechError, Word};

use super::told::State;

/// A frame of audio. It takes room until its words are final.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) samples: Vec<i16>,
    pub(super) start_ms: i64,
    /// The room of the audio that it came with.
    pub(super) _room: Option<Arc<OwnedSemaphorePermit>>,
}

impl Frame {
    pub(super) fn end_ms(&self) -> i64 {
        self.start_ms + FRAME_MS
    }
}

/// What a piece's runner gets.
#[derive(Debug)]
pub(super) enum Audio {
    Frame(Arc<Frame>),
    End(End),
}

/// Where a piece ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) end_ms: i64,
    /// Words that end later are heard again by the next piece.
    pub(super) hold_from_ms: Option<i64>,
}

/// What a piece's runner says.
#[derive(Debug)]
pub(super) enum Event {
    /// A session begins with audio from this time.
    Began {
        start_ms: i64,
    },
    /// Words that may still change.
    Interim {
        text: String,
        words: Vec<Word>,
        until_ms: i64,
    },
    /// Final words, as of [`crate::seam`].
    Words {
        words: Vec<Word>,
        until_ms: i64,
        hold_from_ms: Option<i64>,
    },
    /// The session has ended.
    Over {
        until_ms: i64,
        hold_from_ms: Option<i64>,
    },
    State(State),
    LeftOut {
        from_ms: i64,
        to_ms: i64,
        reason: String,
    },
    Refused(SpeechError),
}

/// A piece's place in the order of the transcript.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) follows: Follows,
    pub(super) events: mpsc::Receiver<Event>,
}

/// How a piece follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// On its time line.
    On,
    /// On another time line.
    Elsewhere,
    /// No piece follows yet: words that wait for it wait no longer.
    NotYet,
}
