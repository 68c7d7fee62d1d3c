//! The analysis of one window of chat and speech, without network, clock or randomness.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_schemas::{
    ChatMessage, EngagementTrend, Insight, MoodLabel, TranscriptSegment, TrendPoint, TrendSummary, UserActivity,
};

use crate::apps::{Analyst, Answer};

/// Chat and speech of one stream in `[start_ms, end_ms)`; either side may be empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatWindow {
    /// The stream.
    pub stream_id: String,
    /// First millisecond of the window.
    pub start_ms: i64,
    /// First millisecond after the window.
    pub end_ms: i64,
    /// What was written, in any order.
    pub chats: Vec<ChatMessage>,
    /// What was said, in any order.
    pub segments: Vec<TranscriptSegment>,
    /// The stream's state after the window before this one.
    pub trend: StreamTrend,
}

/// What a stream's earlier windows were like.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StreamTrend {
    /// Oldest first.
    pub history: Vec<TrendPoint>,
}

/// Windows remembered of a stream.
const HISTORY: usize = 30;

impl StreamTrend {
    /// The state after a window.
    #[must_use]
    pub fn after(&self, _window: &ChatWindow, insight: &Insight) -> Self {
        let from = insight.trend.history.len().saturating_sub(HISTORY);
        Self { history: insight.trend.history[from..].to_vec() }
    }
}

/// Counts, and nothing that needs an opinion.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineAnalyst;

impl Analyst<ChatWindow, Insight> for OfflineAnalyst {
    fn name(&self) -> &'static str {
        "offline"
    }

    fn analyze<'a>(&'a self, window: &'a ChatWindow) -> Answer<'a, Insight> {
        Box::pin(async { Ok(count(window)) })
    }
}

fn count(window: &ChatWindow) -> Insight {
    let mut users = BTreeMap::<&str, (u64, &str)>::new();
    for chat in &window.chats {
        users.entry(&chat.user_id).or_insert((0, chat.author())).0 += 1;
    }
    let mut active: Vec<_> = users.iter().map(|(id, (chats, name))| (*chats, *id, *name)).collect();
    active.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let active_users = active.iter().take(5).map(|(chats, id, name)| UserActivity {
        user_id: (*id).to_owned(),
        user_name: (*name).to_owned(),
        chats: *chats,
        mood: 0.0,
    });
    let seconds = (window.end_ms - window.start_ms).max(1) as f64 / 1000.0;
    let rate = window.chats.len() as f64 / seconds;
    let past = &window.trend.history;
    let usual = past.iter().map(|point| point.chats_per_second).sum::<f64>() / past.len().max(1) as f64;
    let point =
        TrendPoint { start_ms: window.start_ms, chats_per_second: rate, users: users.len() as u64, vibe_score: 50 };
    let history = past.iter().copied().chain([point]).collect();
    Insight {
        stream_id: window.stream_id.clone(),
        window_start_ms: window.start_ms,
        window_end_ms: window.end_ms,
        analyst: "offline".to_owned(),
        chats: window.chats.len() as u64,
        users: users.len() as u64,
        segments: window.segments.len() as u64,
        chats_per_second: rate,
        questions: window.chats.iter().filter(|chat| chat.text.contains('?')).count() as u64,
        silent_microphone: window.segments.is_empty(),
        silent_chat: window.chats.is_empty(),
        vibe_score: 50,
        mood: if window.chats.is_empty() { MoodLabel::Silent } else { MoodLabel::Calm },
        hot_topics: Vec::new(),
        top_chats: Vec::new(),
        active_users: active_users.collect(),
        outliers: Vec::new(),
        phrases: Vec::new(),
        languages: Vec::new(),
        trend: TrendSummary {
            engagement: EngagementTrend::Unknown,
            usual_chats_per_second: usual,
            usual_vibe_score: 50,
            history,
        },
        spikes: Vec::new(),
        clips: Vec::new(),
        alerts: Vec::new(),
        instruction: "Keep going.".to_owned(),
    }
}
