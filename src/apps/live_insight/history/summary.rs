//! What a stream was, in short.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_schemas::{ClipCandidate, Insight, MoodLabel, Support};

use super::sessions::sessions;
use crate::apps::live_insight::frames::{Bounds, Frame};

/// The most moments of a summary.
const MOMENTS: usize = 3;

/// A stream that is over, or the one that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamSummary {
    /// The stream's id.
    pub stream_id: String,
    /// The begin of the first window, in epoch milliseconds.
    pub started_ms: i64,
    /// The end of the last window, in epoch milliseconds.
    pub ended_ms: i64,
    /// The number of windows with chat or speech.
    pub windows: usize,
    /// Messages.
    pub chats: u64,
    /// Distinct authors.
    pub users: u64,
    /// The number of distinct authors is in this range.
    pub users_range: Bounds,
    /// Messages that ask a question.
    pub questions: u64,
    /// Transcript segments.
    pub segments: u64,
    /// Mean messages per second.
    pub chats_per_second: f64,
    /// The window with the most messages per second; absent without chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveliest: Option<Peak>,
    /// The mean vibe score, weighted by authors.
    pub vibe_score: u8,
    /// The mood of the most authors.
    pub mood: MoodLabel,
    /// The window with the best vibe score; absent without chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happiest: Option<Peak>,
    /// The window with the lowest vibe score; absent without chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhappiest: Option<Peak>,
    /// The hottest topics, the hottest first.
    pub hot_topics: Vec<String>,
    /// Languages of the chat, the most used first.
    pub languages: Vec<String>,
    /// The moments with the best clips, in order of time.
    pub moments: Vec<Moment>,
    /// The number of clips.
    pub clips: u64,
    /// The number of alerts.
    pub alerts: u64,
    /// Amounts and memberships; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<Support>,
}

/// A window that stands out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// The begin of the window, in epoch milliseconds.
    pub at_ms: i64,
    /// Messages per second in the window.
    pub chats_per_second: f64,
    /// The window's vibe score.
    pub vibe_score: u8,
}

/// A moment of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When it begins, in epoch milliseconds.
    pub start_ms: i64,
    /// When it ends, in epoch milliseconds.
    pub end_ms: i64,
    /// Why it is worth seeing.
    pub reason: String,
}

/// The summary of the windows of one stream, each once; `None` if there are none.
pub fn summary(insights: &[&Insight]) -> Option<StreamSummary> {
    let view = Frame::of_all(insights.iter().copied())?.view();
    let (whole, note) = (view.insight, view.note);
    let peaks = || insights.iter().filter(|insight| insight.chats > 0).map(|insight| peak(insight));
    // Of equal windows, the first one counts.
    let liveliest =
        peaks().reduce(|best, next| if next.chats_per_second > best.chats_per_second { next } else { best });
    let happiest = peaks().reduce(|best, next| if next.vibe_score > best.vibe_score { next } else { best });
    let unhappiest = peaks().reduce(|worst, next| if next.vibe_score < worst.vibe_score { next } else { worst });
    Some(StreamSummary {
        stream_id: whole.stream_id,
        started_ms: whole.window_start_ms,
        ended_ms: whole.window_end_ms,
        windows: note.windows,
        chats: whole.chats,
        users: whole.users,
        users_range: note.users,
        questions: whole.questions,
        segments: whole.segments,
        chats_per_second: whole.chats_per_second,
        liveliest,
        vibe_score: whole.vibe_score,
        mood: whole.mood,
        happiest,
        unhappiest,
        hot_topics: whole.hot_topics.into_iter().map(|topic| topic.term).collect(),
        languages: whole.languages.into_iter().map(|share| share.language).collect(),
        moments: moments(whole.clips),
        clips: note.clips,
        alerts: note.alerts,
        support: whole.support,
    })
}

/// The streams of a streamer, the newest first. The insights are those of one or more stream ids, in any order; of
/// several insights of a window, the last one counts. A pause of half an hour divides two streams with one id.
pub fn past_streams<'a>(insights: impl IntoIterator<Item = &'a Insight>) -> Vec<StreamSummary> {
    let mut streams: BTreeMap<&str, BTreeMap<i64, &Insight>> = BTreeMap::new();
    for insight in insights {
        streams.entry(&insight.stream_id).or_default().insert(insight.window_start_ms, insight);
    }
    let sessions = streams.into_values().flat_map(|windows| sessions(windows.into_values()));
    let mut summaries: Vec<StreamSummary> = sessions.filter_map(|session| summary(&session)).collect();
    summaries.sort_by(|a, b| b.started_ms.cmp(&a.started_ms).then_with(|| a.stream_id.cmp(&b.stream_id)));
    summaries
}

fn peak(insight: &Insight) -> Peak {
    let Insight { window_start_ms: at_ms, chats_per_second, vibe_score, .. } = *insight;
    Peak { at_ms, chats_per_second, vibe_score }
}

fn moments(mut clips: Vec<ClipCandidate>) -> Vec<Moment> {
    clips.sort_by_key(|clip| std::cmp::Reverse(clip.score));
    clips.truncate(MOMENTS);
    clips.sort_by_key(|clip| clip.start_ms);
    let moment = |clip: ClipCandidate| Moment { start_ms: clip.start_ms, end_ms: clip.end_ms, reason: clip.reason };
    clips.into_iter().map(moment).collect()
}
