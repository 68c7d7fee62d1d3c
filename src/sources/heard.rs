//! What was heard of a source: what listening tells, and what its owner did with it.

use serde::{Deserialize, Serialize};
use tidemill_speech::Segment;

/// What listening tells.
#[derive(Debug)]
pub(super) enum Heard {
    /// Listening began.
    Began {
        /// The [`origin_ms`](SpeechProgress::origin_ms) of the audio.
        origin_ms: i64,
    },
    /// A final piece of speech.
    Said(Segment),
    /// A stretch of speech could not be used.
    LeftOut,
    /// The state changed.
    State(SpeechState),
}

/// How far a source's speech is written. It is written in one transaction with the segments that it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechProgress {
    /// The event time of the first sample of audio that does not tell times, so that it keeps its times when it is
    /// opened again.
    pub origin_ms: i64,
    /// Speech up to this event time is in the transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_ms: Option<i64>,
    /// The state.
    #[serde(flatten)]
    pub state: SpeechState,
    /// Since when, in epoch milliseconds.
    pub since_ms: i64,
    /// Segments written so far.
    #[serde(default)]
    pub segments: u64,
    /// Stretches of speech that could not be used.
    #[serde(default)]
    pub left_out: u64,
}

/// The state of a source's speech.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SpeechState {
    /// The audio of the stream is looked for.
    Connecting,
    /// The audio is heard.
    Listening {
        /// Whether captions that the stream carries are read in its place.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        captions: bool,
    },
    /// Nothing is heard now; another attempt follows.
    Waiting {
        /// When the next attempt is made, in epoch milliseconds, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<i64>,
        /// Why.
        reason: String,
    },
    /// Only a person can help. The chat goes on.
    Refused {
        /// What happened.
        reason: String,
        /// What the person should do.
        remedy: String,
    },
    /// There is no more audio.
    Ended,
    /// The server does not listen any more.
    Off,
}

impl SpeechState {
    /// Whether nothing more comes unless a person acts.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Ended | Self::Refused { .. })
    }

    /// A wait without a known end. A reason ends without a full stop, as those of chats do.
    pub(super) fn waiting(reason: &str, until_ms: Option<i64>) -> Self {
        Self::Waiting { until_ms, reason: bare(reason) }
    }

    pub(super) fn refused(reason: &str, remedy: &str) -> Self {
        Self::Refused { reason: bare(reason), remedy: bare(remedy) }
    }
}

fn bare(sentence: &str) -> String {
    sentence.trim().trim_end_matches('.').to_owned()
}

impl SpeechProgress {
    /// The progress of speech of which nothing is written yet.
    pub(super) fn new(now_ms: i64) -> Self {
        let state = SpeechState::Connecting;
        Self { origin_ms: now_ms, position_ms: None, state, since_ms: now_ms, segments: 0, left_out: 0 }
    }

    /// Notes a state.
    pub(super) fn turn(&mut self, state: SpeechState, now_ms: i64) {
        if self.state != state {
            (self.state, self.since_ms) = (state, now_ms);
        }
    }

    /// Whether a segment that ends then is in the transcript already.
    pub(super) fn has(&self, end_ms: i64) -> bool {
        self.position_ms.is_some_and(|position_ms| end_ms <= position_ms)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn progress_is_stored_flat_and_comes_back() {
        let mut progress = SpeechProgress::new(5);
        progress.turn(SpeechState::waiting("The stream is away.", Some(9)), 7);
        let stored = json!({ "origin_ms": 5, "state": "waiting", "until_ms": 9, "reason": "The stream is away",
            "since_ms": 7, "segments": 0, "left_out": 0 });
        assert_eq!(serde_json::to_value(&progress).expect("JSON"), stored);
        assert_eq!(serde_json::from_value::<SpeechProgress>(stored).expect("progress"), progress);
        let early = serde_json::from_value::<SpeechProgress>(json!({ "origin_ms": 5, "state": "off", "since_ms": 7 }));
        assert_eq!(early.expect("progress").position_ms, None);
    }

    #[test]
    fn audio_is_stored_as_before_there_were_captions() {
        for (captions, stored) in
            [(false, json!({ "state": "listening" })), (true, json!({ "state": "listening", "captions": true }))]
        {
            let state = SpeechState::Listening { captions };
            assert_eq!(serde_json::to_value(&state).expect("JSON"), stored);
            assert_eq!(serde_json::from_value::<SpeechState>(stored).expect("a state"), state);
        }
    }

    #[test]
    fn a_state_that_comes_again_began_when_it_came_first() {
        let mut progress = SpeechProgress::new(5);
        progress.turn(SpeechState::Listening { captions: false }, 7);
        progress.turn(SpeechState::Listening { captions: false }, 9);
        assert_eq!(progress.since_ms, 7);
    }
}
