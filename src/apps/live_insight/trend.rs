//! Turns a collected window into a request, which includes the stream's trend over the earlier windows.

use tidemill::{
    Cogrouped, Record, Windowed,
    processor::{Processor, ProcessorContext},
    state::{BoxError, Json, Utf8},
};
use tidemill_schemas::{ChatMessage, TranscriptSegment};

use super::{
    analysis::{ChatWindow, MoodWatch, OfflineAnalyst, StreamTrend, each_once},
    mood,
    request::InsightRequest,
    withdrawals::known,
};
use crate::apps::refuse_panics;

/// The store with each stream's trend. The key is the stream's id.
pub(super) const STORE: &str = "trend";

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trend;

type Collected = Cogrouped<ChatMessage, TranscriptSegment>;

impl Processor<Windowed<String>, Collected, Windowed<String>, InsightRequest> for Trend {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, InsightRequest>,
        record: Record<Windowed<String>, Collected>,
    ) -> Result<(), BoxError> {
        let Record { key: Windowed { key: stream_id, window }, value: Cogrouped { left, right }, timestamp, headers } =
            record;
        let store = ctx.key_value_store_with::<String, StreamTrend>(STORE, Utf8, Json::default())?;
        let trend = store.get(&stream_id)?.unwrap_or_default();
        let moods = ctx.key_value_store_with::<String, MoodWatch>(mood::STORE, Utf8, Json::default())?;
        let watch = moods.get(&stream_id)?;
        let told = watch.as_ref().map_or_else(Vec::new, |watch| watch.told().to_vec());
        let (start_ms, end_ms) = (window.start, window.end);
        let (chats, withdrawn) = known(ctx, &stream_id)?.leave_out(each_once(left));
        let collected =
            ChatWindow { stream_id: stream_id.clone(), start_ms, end_ms, chats, segments: right, trend, told };
        let ((mut draft, sources), trend) = refuse_panics(|| {
            let mut trend = collected.trend.clone();
            trend.update(&collected);
            (OfflineAnalyst::insight_with_sources(&collected), trend)
        })?;
        draft.withdrawn = withdrawn;
        store.put(&stream_id, &trend, timestamp)?;
        if let Some(mut watch) = watch {
            let changed = watch.closed(start_ms, end_ms, &draft.alerts) | watch.leave_out(&trend);
            if changed {
                moods.put(&stream_id, &watch, timestamp)?;
            }
        }
        let key = Windowed { key: stream_id, window };
        ctx.forward(Record { key, value: InsightRequest::new(collected, draft, sources), timestamp, headers });
        Ok(())
    }
}
