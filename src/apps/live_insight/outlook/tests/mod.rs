//! Predictions of invented, recorded and generated streams.

mod scores;
mod sureness;
mod told;

use tidemill_schemas::{Chatters, EngagementTrend, Insight, MoodLabel, Remainder, TrendSummary, UserActivity};

use super::*;
use crate::apps::{live_insight::analysis::author_hash, recordings::START_MS};

const MINUTE_MS: i64 = 60_000;

/// A window with messages of some authors.
fn window(minute: i64, chats: u64, users: std::ops::Range<usize>) -> Insight {
    let mut hashes: Vec<u32> = users.clone().map(|user| author_hash(&format!("u{user}"))).collect();
    hashes.sort_unstable();
    let active = |user: usize| UserActivity {
        user_id: format!("u{user}"),
        user_name: format!("User {user}"),
        chats: 3,
        mood: 0.0,
    };
    let remainder = Remainder {
        chatters: Chatters { below: Chatters::ALL, hashes },
        active_users: users.clone().skip(5).take(15).map(active).collect(),
        ..Remainder::default()
    };
    let start_ms = START_MS + minute * MINUTE_MS;
    Insight {
        stream_id: "s".into(),
        window_start_ms: start_ms,
        window_end_ms: start_ms + MINUTE_MS,
        analyst: "offline".into(),
        chats,
        users: users.len() as u64,
        segments: 4,
        chats_per_second: chats as f64 / 60.0,
        questions: 0,
        silent_microphone: false,
        silent_chat: chats == 0,
        vibe_score: 65,
        mood: MoodLabel::Happy,
        hot_topics: Vec::new(),
        top_chats: Vec::new(),
        active_users: users.take(5).map(active).collect(),
        outliers: Vec::new(),
        phrases: Vec::new(),
        languages: Vec::new(),
        series: Vec::new(),
        trend: TrendSummary {
            engagement: EngagementTrend::Steady,
            usual_chats_per_second: 0.0,
            usual_vibe_score: 50,
            history: Vec::new(),
        },
        spikes: Vec::new(),
        clips: Vec::new(),
        alerts: Vec::new(),
        support: None,
        withdrawn: 0,
        instruction: "Keep going.".into(),
        evidence: Vec::new(),
        provenance: None,
        remainder: Some(remainder),
    }
}

/// A stream with these messages in its minutes.
fn stream(chats: impl IntoIterator<Item = u64>) -> Vec<Insight> {
    (0..).zip(chats).map(|(minute, chats)| window(minute, chats, 0..20)).collect()
}

fn newest(stream: &[Insight]) -> Prediction {
    outlook(stream, 0).expect("windows").prediction
}
