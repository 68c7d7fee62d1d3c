//! The offline analyst: it needs only word lists and arithmetic.

use tidemill_schemas::Insight;

use super::activity::{MORE_USERS, active_users, languages, outliers, top_chats};
use super::alerts::alerts;
use super::behind::behind;
use super::clips::clips;
use super::crowd::CrowdMood;
use super::evidence::Evidence;
use super::follow::summary;
use super::instruction::instruction;
use super::numbers::round2;
use super::phrases::reactions;
use super::reading::Reading;
use super::remainder::remainder;
use super::series::series;
use super::shifts::without_repeats;
use super::sources::Sources;
use super::spikes::{Baseline, Buckets, spikes};
use super::support::support;
use super::topics::hot_topics;
use super::window::ChatWindow;
use crate::apps::{Analyst, Answer};

/// Analyses windows with word lists and arithmetic. The same window always gives the same insight.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineAnalyst;

impl OfflineAnalyst {
    /// The analyst's name in its insights.
    pub const NAME: &'static str = "offline";

    /// Analyses one window.
    pub fn insight(window: &ChatWindow) -> Insight {
        Self::insight_with_sources(window).0
    }

    /// Analyses one window. Also returns who wrote what the insight shows.
    pub fn insight_with_sources(window: &ChatWindow) -> (Insight, Sources) {
        let reading = Reading::of(window);
        let crowd = CrowdMood::of(reading.chats.iter());
        let (hot_topics, more_topics) = hot_topics(&reading, &window.trend);
        let (active_users, more_users) = active_users(&reading, &crowd);
        let buckets = Buckets::of(window, &reading);
        let baseline = Baseline::of(window, &buckets);
        let spikes = spikes(window, &reading, &buckets);
        let phrases = reactions(window, &reading, &crowd, baseline);
        let trend = summary(window, &reading, &crowd, &buckets);
        let evidence = Evidence {
            window,
            reading: &reading,
            crowd: &crowd,
            topics: &hot_topics,
            spikes: &spikes,
            engagement: trend.engagement,
        };
        let found = alerts(&evidence);
        let alerts = without_repeats(window, found.clone());
        let (instruction, about) = instruction(&evidence, &alerts, &found);
        let behind = behind(&evidence, &about, &alerts, &phrases);
        let sources = Sources::of(&reading, hot_topics.iter().chain(&more_topics), &phrases);
        let insight = Insight {
            stream_id: window.stream_id.clone(),
            window_start_ms: window.start_ms,
            window_end_ms: window.end_ms,
            analyst: Self::NAME.to_owned(),
            chats: reading.chats.len() as u64,
            users: reading.users.len() as u64,
            segments: window.segments.len() as u64,
            chats_per_second: round2(reading.chats.len() as f64 / window.seconds()),
            questions: reading.chats.iter().filter(|chat| chat.question).count() as u64,
            silent_microphone: window.segments.is_empty() && window.trend.has_spoken(),
            silent_chat: reading.chats.is_empty(),
            vibe_score: crowd.vibe_score(),
            mood: if reading.chats.is_empty() { tidemill_schemas::MoodLabel::Silent } else { crowd.label },
            top_chats: top_chats(&reading, &crowd, &hot_topics),
            active_users,
            outliers: outliers(&reading, &crowd),
            languages: languages(&reading),
            clips: clips(window, &reading, &spikes, &phrases),
            series: series(window, &reading, &crowd),
            hot_topics,
            phrases,
            trend,
            spikes,
            alerts,
            support: support(&reading),
            withdrawn: 0,
            instruction,
            evidence: behind,
            provenance: None,
            remainder: Some(remainder(&reading, more_users, MORE_USERS, more_topics)),
        };
        (insight, sources)
    }
}

impl Analyst<ChatWindow, Insight> for OfflineAnalyst {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn analyze<'a>(&'a self, window: &'a ChatWindow) -> Answer<'a, Insight> {
        Box::pin(std::future::ready(Ok(Self::insight(window))))
    }
}
