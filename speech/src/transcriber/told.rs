//! What a transcriber tells.

use std::time::Duration;

use crate::Segment;

/// What a transcriber tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A piece of transcript. One that is not final is replaced by the next segment.
    Segment(Segment),
    /// The state changed.
    State(State),
    /// The recogniser could not use this audio, and it was left out.
    LeftOut {
        /// Where it began, in milliseconds of event time.
        from_ms: i64,
        /// Where it ended.
        to_ms: i64,
        /// What the recogniser said.
        reason: String,
    },
}

/// What a transcriber is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The recogniser answers.
    Listening,
    /// The recogniser is away or busy, and is asked again.
    Waiting {
        /// After how long.
        wait: Duration,
        /// What happened.
        reason: String,
    },
    /// The transcriber has ended: nothing works before somebody changes something.
    Refused {
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },
}
