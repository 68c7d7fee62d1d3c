//! What was planted in the recordings.

use serde::{Deserialize, Serialize};
use tidemill_schemas::FaultKind;

/// What was planted in the live stream. Windows are minutes, counted from zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveTruth {
    /// The stream.
    pub stream_id: String,
    /// First millisecond.
    pub start_ms: i64,
    /// Length of a window.
    pub window_ms: i64,
    /// Windows in the recording.
    pub windows: usize,
    /// Windows with chat and no speech.
    pub silent_microphone: Vec<usize>,
    /// Windows with speech and no chat.
    pub silent_chat: Vec<usize>,
    /// What chat talks about, and when.
    pub topics: Vec<PlantedTopic>,
    /// Where the mood falls.
    pub mood_drop: MoodDrop,
    /// Where chat explodes, and after which words.
    pub bursts: Vec<Burst>,
    /// Accounts that are hostile from beginning to end.
    pub trolls: Vec<String>,
    /// Windows in which chat thins out.
    pub engagement_drop: Vec<usize>,
    /// Languages of the chat, ISO 639-1.
    pub languages: Vec<String>,
}

/// A topic that chat talks about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlantedTopic {
    /// The window.
    pub window: usize,
    /// The term.
    pub term: String,
}

/// A fall of the mood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoodDrop {
    /// The window.
    pub window: usize,
    /// The moment.
    pub at_ms: i64,
    /// What it is about.
    pub about: String,
}

/// An explosion of chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// First message.
    pub start_ms: i64,
    /// After the last message.
    pub end_ms: i64,
    /// What the streamer said just before.
    pub phrase: String,
}

/// What was planted in the pose recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormTruth {
    /// Length of a window.
    pub window_ms: i64,
    /// One recording each.
    pub sessions: Vec<SessionTruth>,
}

/// One recorded session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionTruth {
    /// File name without its ending; the athlete's id, too.
    pub name: String,
    /// Exercise as it stands in the frames.
    pub exercise: String,
    /// Repetitions through the whole range.
    pub repetitions: u32,
    /// Repetitions through a part of it.
    pub half_repetitions: u32,
    /// The planted fault; absent for clean sessions.
    pub fault: Option<FaultKind>,
}
