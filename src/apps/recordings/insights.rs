//! The insights of a recorded stream.

use tidemill_schemas::{ChatMessage, Insight, TranscriptSegment};

use crate::apps::live_insight::analysis::{ChatWindow, OfflineAnalyst, StreamTrend};

/// The offline insights of a stream, one for each window of `window_ms` from `start_ms` on in which there is chat or
/// speech. The events are those of one stream, in any order. Events before `start_ms` are left out.
pub fn insights(chats: &[ChatMessage], segments: &[TranscriptSegment], start_ms: i64, window_ms: i64) -> Vec<Insight> {
    let place = |timestamp: i64| usize::try_from((timestamp - start_ms).div_euclid(window_ms.max(1))).ok();
    let mut windows: Vec<(Vec<ChatMessage>, Vec<TranscriptSegment>)> = Vec::new();
    let mut at = |place: usize| {
        if windows.len() <= place {
            windows.resize_with(place + 1, Default::default);
        }
        place
    };
    let last = chats.iter().map(|chat| chat.timestamp).chain(segments.iter().map(|segment| segment.timestamp)).max();
    last.and_then(place).map(&mut at);
    for chat in chats {
        if let Some(place) = place(chat.timestamp) {
            windows[place].0.push(chat.clone());
        }
    }
    for segment in segments {
        if let Some(place) = place(segment.timestamp) {
            windows[place].1.push(segment.clone());
        }
    }
    let stream_id = chats.first().map(|chat| &chat.stream_id).or(segments.first().map(|segment| &segment.stream_id));
    let mut trend = StreamTrend::default();
    let mut insights = Vec::with_capacity(windows.len());
    for (at, (chats, segments)) in windows.into_iter().enumerate() {
        if chats.is_empty() && segments.is_empty() {
            continue;
        }
        let begin_ms = start_ms + at as i64 * window_ms;
        let window = ChatWindow {
            stream_id: stream_id.cloned().unwrap_or_default(),
            start_ms: begin_ms,
            end_ms: begin_ms + window_ms,
            chats,
            segments,
            trend: trend.clone(),
            told: Vec::new(),
        };
        insights.push(OfflineAnalyst::insight(&window));
        trend.update(&window);
    }
    insights
}
