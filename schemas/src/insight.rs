//! Results of live insight: what a streamer learns from one window of chat and speech.

use serde::{Deserialize, Serialize};

use crate::count;

/// Everything said about one window of one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insight {
    /// The stream.
    pub stream_id: String,
    /// First millisecond of the window.
    pub window_start_ms: i64,
    /// First millisecond after the window.
    pub window_end_ms: i64,
    /// Who analysed the window, such as `offline` or a model's name.
    pub analyst: String,
    /// Chat messages in the window.
    #[serde(with = "count")]
    pub chats: u64,
    /// Distinct authors.
    #[serde(with = "count")]
    pub users: u64,
    /// Transcript segments in the window.
    #[serde(with = "count")]
    pub segments: u64,
    /// Chat messages per second.
    pub chats_per_second: f64,
    /// Messages that ask something.
    #[serde(with = "count")]
    pub questions: u64,
    /// Nobody spoke, although the window exists.
    pub silent_microphone: bool,
    /// Nobody wrote, although the window exists.
    pub silent_chat: bool,
    /// The crowd's mood from 0 (hostile) over 50 (neutral) to 100 (euphoric).
    pub vibe_score: u8,
    /// The crowd's mood in a word.
    pub mood: MoodLabel,
    /// What people write about, hottest first.
    pub hot_topics: Vec<HotTopic>,
    /// Messages that stand for many, best first.
    pub top_chats: Vec<TopChat>,
    /// Authors with the most messages.
    pub active_users: Vec<UserActivity>,
    /// Authors whose hostility the score leaves aside.
    pub outliers: Vec<UserActivity>,
    /// Spoken phrases with the reaction they got, in the order they were spoken.
    pub phrases: Vec<PhraseReaction>,
    /// Languages of the chat, most used first.
    pub languages: Vec<LanguageShare>,
    /// Chat and mood through the window, in stretches of equal length, for drawing.
    #[serde(default)]
    pub series: Vec<SeriesPoint>,
    /// This window against those before it.
    pub trend: TrendSummary,
    /// Moments in which chat ran far above its baseline.
    pub spikes: Vec<Spike>,
    /// Moments worth cutting out.
    pub clips: Vec<ClipCandidate>,
    /// What the streamer should hear about now.
    pub alerts: Vec<Alert>,
    /// The one thing to do next.
    pub instruction: String,
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
    /// Split.
    Mixed,
    /// Losing interest.
    Bored,
    /// Sorry or touched.
    Sad,
    /// Something does not work for them.
    Frustrated,
    /// Hostile.
    Angry,
    /// Nobody wrote.
    Silent,
}

/// A term that many people use at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HotTopic {
    /// One or two words.
    pub term: String,
    /// Messages with it.
    #[serde(with = "count")]
    pub chats: u64,
    /// Distinct authors who used it.
    #[serde(with = "count")]
    pub users: u64,
    /// How much hotter than in the windows before; 1 is as usual.
    pub lift: f64,
    /// Mood of the messages with it, -1 to 1.
    pub mood: f64,
}

/// A message that stands for many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopChat {
    /// Who wrote it first.
    pub user_id: String,
    /// What the author is called.
    pub user_name: String,
    /// The message.
    pub text: String,
    /// When it was written.
    pub timestamp: i64,
    /// Distinct authors who wrote the same.
    #[serde(with = "count")]
    pub echoes: u64,
    /// Its mood, -1 to 1.
    pub mood: f64,
}

/// What one author did in the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserActivity {
    /// Who.
    pub user_id: String,
    /// What the author is called.
    pub user_name: String,
    /// Messages.
    #[serde(with = "count")]
    pub chats: u64,
    /// Mood of the messages, -1 to 1.
    pub mood: f64,
}

/// A spoken phrase and what chat made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhraseReaction {
    /// What was said.
    pub text: String,
    /// When it began.
    pub start_ms: i64,
    /// When it ended.
    pub end_ms: i64,
    /// Messages that followed within seconds.
    #[serde(with = "count")]
    pub reactions: u64,
    /// How much faster chat ran after it than around it; 1 is as usual.
    pub lift: f64,
    /// Mood of those messages, -1 to 1.
    pub mood: f64,
    /// A few of those messages.
    pub samples: Vec<String>,
    /// Authors of those messages, most eager first.
    pub users: Vec<String>,
    /// Spoken at the end of the window before; the reaction fell into this one.
    pub carried_over: bool,
}

/// A language's part of the chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanguageShare {
    /// ISO 639-1 code.
    pub language: String,
    /// Part of the messages whose language is recognisable, 0 to 1.
    pub share: f64,
}

/// One stretch of a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    /// Its first millisecond.
    pub at: i64,
    /// Messages in it.
    #[serde(with = "count")]
    pub chats: u64,
    /// The crowd's mood in it, from -1 to 1 on the scale of the vibe score; 0 where nobody wrote.
    pub mood: f64,
}

/// Where engagement goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngagementTrend {
    /// Too few windows to tell.
    Unknown,
    /// Clearly above what was usual.
    Rising,
    /// As usual.
    Steady,
    /// Clearly below what was usual.
    Dropping,
}

/// This window against those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrendSummary {
    /// Where engagement goes.
    pub engagement: EngagementTrend,
    /// Usual chat messages per second before this window.
    pub usual_chats_per_second: f64,
    /// Usual vibe score before this window.
    pub usual_vibe_score: u8,
    /// The last windows, oldest first, this one included.
    pub history: Vec<TrendPoint>,
}

/// One window in the history of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrendPoint {
    /// First millisecond of the window.
    pub start_ms: i64,
    /// Chat messages per second.
    pub chats_per_second: f64,
    /// Distinct authors.
    #[serde(with = "count")]
    pub users: u64,
    /// Vibe score.
    pub vibe_score: u8,
}

/// A moment in which chat ran far above its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spike {
    /// When it began.
    pub start_ms: i64,
    /// When it ended.
    pub end_ms: i64,
    /// Messages in it.
    #[serde(with = "count")]
    pub chats: u64,
    /// Its rate over the baseline's.
    pub ratio: f64,
    /// Mood of its messages, -1 to 1.
    pub mood: f64,
}

/// A moment worth cutting out of the recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipCandidate {
    /// The stream to cut.
    pub stream_id: String,
    /// Where to cut in: early enough to contain the cause.
    pub start_ms: i64,
    /// Where to cut out.
    pub end_ms: i64,
    /// Why it is worth it.
    pub reason: String,
    /// How strong it is, 0 to 100.
    pub score: u8,
}

/// Something the streamer should hear about now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The stream.
    pub stream_id: String,
    /// What happened.
    pub kind: AlertKind,
    /// Since when.
    pub at_ms: i64,
    /// How much it matters, 0 to 1.
    pub severity: f64,
    /// What happened, in a sentence.
    pub message: String,
    /// It was told while its window was still open. The window's insight has it again, as the same alert.
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
    /// Chat thins out.
    EngagementDrop,
    /// Chat explodes.
    EngagementSpike,
    /// Chat goes on, nobody speaks.
    SilentMicrophone,
    /// Someone speaks, nobody writes.
    SilentChat,
    /// A few accounts write most of the hostile messages.
    Trolls,
}
