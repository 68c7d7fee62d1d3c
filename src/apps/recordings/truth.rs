//! The events that were planted in the recordings.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tidemill_schemas::{FaultKind, Obstacle};

/// The events planted in the live stream. Windows are minutes, counted from zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveTruth {
    /// Id of the stream.
    pub stream_id: String,
    /// First millisecond of the recording.
    pub start_ms: i64,
    /// Length of a window, in milliseconds.
    pub window_ms: i64,
    /// Number of windows in the recording.
    pub windows: usize,
    /// Windows with chat and no speech.
    pub silent_microphone: Vec<usize>,
    /// Windows with speech and no chat.
    pub silent_chat: Vec<usize>,
    /// The topics of the chat, with their windows.
    pub topics: Vec<PlantedTopic>,
    /// The fall of the mood.
    pub mood_drop: MoodDrop,
    /// The bursts of chat, with the phrase before each burst.
    pub bursts: Vec<Burst>,
    /// Accounts that are hostile during the whole recording.
    pub trolls: Vec<String>,
    /// Windows in which chat becomes less.
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
    /// The time of the fall, in milliseconds.
    pub at_ms: i64,
    /// The topic that causes the fall.
    pub about: String,
}

/// A burst of chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// Time of the first message, in milliseconds.
    pub start_ms: i64,
    /// Time after the last message, in milliseconds.
    pub end_ms: i64,
    /// The streamer's phrase just before the burst.
    pub phrase: String,
}

/// What was planted in the chat of many languages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorldTruth {
    /// Id of the stream.
    pub stream_id: String,
    /// First millisecond of the recording.
    pub start_ms: i64,
    /// Length of a window, in milliseconds.
    pub window_ms: i64,
    /// Messages of people in each window, without those of programs.
    pub chats: Vec<u64>,
    /// Accounts of known bots.
    pub bots: Vec<String>,
    /// An account that repeats a line at regular times.
    pub announcer: String,
    /// The repeated line.
    pub announcement: String,
    /// A line that many people write, with invisible suffixes.
    pub echo: Echo,
    /// Windows with a bad mood. All others have a good one.
    pub unhappy: Vec<usize>,
    /// The number of messages that are sent again.
    pub again: u64,
    /// What viewers pay and give.
    pub support: PlantedSupport,
    /// Languages of the chat, ISO 639-1.
    pub languages: BTreeSet<String>,
}

/// Support by viewers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlantedSupport {
    /// The window.
    pub window: usize,
    /// ISO 4217 code of the one amount.
    pub currency: String,
    /// The amount, in millionths of a unit.
    pub micros: i64,
    /// Memberships that a viewer gives to others.
    pub gifted_members: u64,
}

/// A line that many people write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// The window.
    pub window: usize,
    /// The line without its suffixes.
    pub text: String,
    /// The number of its authors.
    pub echoes: u64,
}

/// The faults planted in the pose recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormTruth {
    /// Length of a window, in milliseconds.
    pub window_ms: i64,
    /// The sessions. Each session is one recording.
    pub sessions: Vec<SessionTruth>,
    /// Short recordings of what real cameras and people do. Each case is one recording.
    pub cases: Vec<CaseTruth>,
}

/// One recorded session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionTruth {
    /// File name without extension. It is also the athlete's id.
    pub name: String,
    /// Name of the exercise in the frames.
    pub exercise: String,
    /// Number of repetitions with the full range.
    pub repetitions: u32,
    /// Number of repetitions with a part of the range.
    pub half_repetitions: u32,
    /// The planted fault; `None` for clean sessions.
    pub fault: Option<FaultKind>,
}

/// One recorded case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseTruth {
    /// File name without extension. It is also the athlete's id.
    pub name: String,
    /// What was planted, in words.
    pub about: String,
    /// The repetitions of each exercise, in the order of the recording.
    pub counted: Vec<Counted>,
    /// Whether there is a grade.
    pub graded: bool,
    /// What keeps windows with movement from being judged.
    pub obstacle: Option<Obstacle>,
    /// The planted fault; `None` if the form is clean, or not judged.
    pub fault: Option<FaultKind>,
}

/// The repetitions of one exercise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Name of the exercise in the frames.
    pub exercise: String,
    /// Number of repetitions, all of the full range.
    pub repetitions: u32,
}
