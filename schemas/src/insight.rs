//! Results of live insight: what one window of chat and speech shows a streamer.

use serde::{Deserialize, Serialize};

use crate::{Provenance, Remainder, Support, count};

/// The insight into one window of one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insight {
    /// The stream.
    pub stream_id: String,
    /// First millisecond of the window, in epoch milliseconds.
    pub window_start_ms: i64,
    /// First millisecond after the window, in epoch milliseconds.
    pub window_end_ms: i64,
    /// The analyst of the window, such as `offline` or a model's name.
    pub analyst: String,
    /// Chat messages of people in the window. Messages of bots are left out, here and everywhere. Commands that people
    /// send to bots, such as `!uptime`, count as messages, but they have no mood, topic or question.
    #[serde(with = "count")]
    pub chats: u64,
    /// Distinct authors: people, without bots.
    #[serde(with = "count")]
    pub users: u64,
    /// Transcript segments in the window.
    #[serde(with = "count")]
    pub segments: u64,
    /// Chat messages per second.
    pub chats_per_second: f64,
    /// Chat messages that ask a question.
    #[serde(with = "count")]
    pub questions: u64,
    /// Whether the window has no speech.
    pub silent_microphone: bool,
    /// Whether the window has no chat messages of people.
    pub silent_chat: bool,
    /// The crowd's mood from 0 (hostile) over 50 (neutral) to 100 (euphoric).
    pub vibe_score: u8,
    /// The crowd's mood in a word.
    pub mood: MoodLabel,
    /// The topics of the chat, hottest first.
    pub hot_topics: Vec<HotTopic>,
    /// Messages that represent many others, best first.
    pub top_chats: Vec<TopChat>,
    /// Authors with the most messages.
    pub active_users: Vec<UserActivity>,
    /// Authors whose hostility the vibe score ignores.
    pub outliers: Vec<UserActivity>,
    /// Spoken phrases and the reactions to them, in the order of speech.
    pub phrases: Vec<PhraseReaction>,
    /// Languages of the chat, most used first.
    pub languages: Vec<LanguageShare>,
    /// Chat and mood in intervals of equal length, for drawing.
    #[serde(default)]
    pub series: Vec<SeriesPoint>,
    /// This window compared with the windows before it.
    pub trend: TrendSummary,
    /// Moments in which chat ran far above its baseline.
    pub spikes: Vec<Spike>,
    /// Moments that are worth a clip.
    pub clips: Vec<ClipCandidate>,
    /// Events that the streamer should hear about now.
    pub alerts: Vec<Alert>,
    /// Amounts and memberships of the window's messages; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<Support>,
    /// What was withdrawn: messages that were left out when the window closed, and messages and viewers whose words and
    /// names were removed from this result later. The counts of a closed window stay.
    #[serde(default, with = "count", skip_serializing_if = "is_zero")]
    pub withdrawn: u64,
    /// One piece of advice: what to do next.
    pub instruction: String,
    /// Chat messages behind what the insight says, in order of time. They are examples: each statement has a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceLine>,
    /// How the insight came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// What longer time frames need of this window; absent in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<Remainder>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like this")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The crowd's mood in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoodLabel {
    /// Excited and loud.
    Hyped,
    /// Laughing.
    Amused,
    /// Friendly.
    Happy,
    /// No strong feeling.
    Calm,
    /// Opinions differ.
    Mixed,
    /// Losing interest.
    Bored,
    /// Sorry or touched.
    Sad,
    /// Annoyed that something does not work.
    Frustrated,
    /// Hostile.
    Angry,
    /// No messages.
    Silent,
}

/// A term that many people use at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HotTopic {
    /// The term: one or two words.
    pub term: String,
    /// Messages that contain the term.
    #[serde(with = "count")]
    pub chats: u64,
    /// Distinct authors who used the term.
    #[serde(with = "count")]
    pub users: u64,
    /// How much hotter the term is than in the windows before; 1 means as usual.
    pub lift: f64,
    /// Mood of the messages with the term, -1 to 1.
    pub mood: f64,
}

/// A chat message behind what an insight says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceLine {
    /// The message's id, if the platform gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The author's id.
    pub user_id: String,
    /// The author's name.
    pub user_name: String,
    /// The message; the beginning of a long one.
    pub text: String,
    /// When the message was written, in epoch milliseconds.
    pub timestamp: i64,
    /// The statements of the insight that the message is behind.
    pub behind: Vec<Statement>,
}

/// A statement of an insight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The kind of the statement.
    pub kind: StatementKind,
    /// The term of a hot topic, or the kind of an alert, such as `mood_drop`; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When a phrase or an alert began, in epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<i64>,
}

/// The kinds of statements that have evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// The instruction.
    Instruction,
    /// A hot topic.
    HotTopic,
    /// An alert.
    Alert,
    /// A spoken phrase and the reaction to it.
    Phrase,
}

/// A message that represents many others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopChat {
    /// The message's id, if the platform gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of the first author.
    pub user_id: String,
    /// The author's name.
    pub user_name: String,
    /// The message.
    pub text: String,
    /// When the message was written, in epoch milliseconds.
    pub timestamp: i64,
    /// Distinct authors who wrote the same message.
    #[serde(with = "count")]
    pub echoes: u64,
    /// Mood of the message, -1 to 1.
    pub mood: f64,
}

/// What one author did in the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserActivity {
    /// The author's id.
    pub user_id: String,
    /// The author's name.
    pub user_name: String,
    /// Messages.
    #[serde(with = "count")]
    pub chats: u64,
    /// Mood of the messages, -1 to 1.
    pub mood: f64,
}

/// A spoken phrase and the reaction of the chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhraseReaction {
    /// The spoken text.
    pub text: String,
    /// Start time in epoch milliseconds.
    pub start_ms: i64,
    /// End time in epoch milliseconds.
    pub end_ms: i64,
    /// Messages that followed within a few seconds.
    #[serde(with = "count")]
    pub reactions: u64,
    /// How much faster chat was after the phrase than around it; 1 means as usual.
    pub lift: f64,
    /// Mood of the reactions, -1 to 1.
    pub mood: f64,
    /// Some of the reactions.
    pub samples: Vec<String>,
    /// Authors of the reactions, most eager first.
    pub users: Vec<String>,
    /// Whether the phrase was spoken at the end of the window before, with its reaction in this window.
    pub carried_over: bool,
}

/// A language's share of the chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanguageShare {
    /// ISO 639-1 code.
    pub language: String,
    /// Share of the messages whose language is recognisable, 0 to 1.
    pub share: f64,
}

/// One interval of a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    /// First millisecond of the interval, in epoch milliseconds.
    pub at: i64,
    /// Chat messages in this time.
    #[serde(with = "count")]
    pub chats: u64,
    /// The crowd's mood in the interval, -1 to 1 on the scale of the vibe score; 0 without messages.
    pub mood: f64,
}

/// The trend of engagement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngagementTrend {
    /// There are too few windows to compare.
    Unknown,
    /// Clearly above the usual.
    Rising,
    /// As usual.
    Steady,
    /// Clearly below the usual.
    Dropping,
}

/// This window compared with the windows before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrendSummary {
    /// The trend of engagement.
    pub engagement: EngagementTrend,
    /// Usual chat messages per second before this window.
    pub usual_chats_per_second: f64,
    /// Usual vibe score before this window, 0 to 100.
    pub usual_vibe_score: u8,
    /// The last windows, oldest first, including this one.
    pub history: Vec<TrendPoint>,
}

/// One window in the history of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrendPoint {
    /// First millisecond of the window, in epoch milliseconds.
    pub start_ms: i64,
    /// Chat messages per second.
    pub chats_per_second: f64,
    /// Distinct authors.
    #[serde(with = "count")]
    pub users: u64,
    /// Vibe score, 0 to 100.
    pub vibe_score: u8,
}

/// A moment in which chat ran far above its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spike {
    /// Start time in epoch milliseconds.
    pub start_ms: i64,
    /// End time in epoch milliseconds.
    pub end_ms: i64,
    /// Chat messages in this time.
    #[serde(with = "count")]
    pub chats: u64,
    /// The message rate of the spike divided by the baseline rate.
    pub ratio: f64,
    /// Mood of the spike's messages, -1 to 1.
    pub mood: f64,
}

/// A moment of the recording that is worth a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipCandidate {
    /// The stream of the clip.
    pub stream_id: String,
    /// Start of the clip in epoch milliseconds: early enough to contain the cause.
    pub start_ms: i64,
    /// End of the clip in epoch milliseconds.
    pub end_ms: i64,
    /// Why the moment is worth a clip.
    pub reason: String,
    /// Strength of the moment, 0 to 100.
    pub score: u8,
}

/// An event that the streamer should hear about now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The stream.
    pub stream_id: String,
    /// Kind of the alert.
    pub kind: AlertKind,
    /// When the event began, in epoch milliseconds.
    pub at_ms: i64,
    /// Severity, 0 to 1.
    pub severity: f64,
    /// Description of the event, in one sentence.
    pub message: String,
    /// Whether the alert was sent while its window was still open. The window's insight contains the same alert again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ahead: bool,
}

/// Kinds of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Mood fell.
    MoodDrop,
    /// Mood rose.
    MoodRise,
    /// Chat became much slower.
    EngagementDrop,
    /// Chat became much faster.
    EngagementSpike,
    /// The window has chat messages, but no speech.
    SilentMicrophone,
    /// The window has speech, but no chat messages.
    SilentChat,
    /// A few accounts write most of the hostile messages.
    Trolls,
}
