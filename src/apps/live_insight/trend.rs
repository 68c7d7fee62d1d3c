//! Turns what a window collected into a request, with the stream's memory of the windows before.

use tidemill_schemas::{ChatMessage, TranscriptSegment};
use tidemill_topology::{
    Cogrouped, Record, Windowed,
    processor::{Processor, ProcessorContext},
    state::{BoxError, Json, Utf8},
};

use super::{
    InsightRequest,
    analysis::{ChatWindow, OfflineAnalyst, StreamTrend},
};
use crate::apps::{Analyst as _, answer_now};

/// Each stream's trend, by stream.
pub(crate) const STORE: &str = "trend";

#[derive(Default)]
pub(super) struct Trend {
    analyst: OfflineAnalyst,
}

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
        let (start_ms, end_ms) = (window.start, window.end);
        let collected =
            ChatWindow { stream_id: stream_id.clone(), start_ms, end_ms, chats: left, segments: right, trend };
        let draft = answer_now(self.analyst.analyze(&collected))?;
        let mut trend = collected.trend.clone();
        trend.update(&collected);
        store.put(&stream_id, &trend, timestamp)?;
        let key = Windowed { key: stream_id, window };
        ctx.forward(Record { key, value: InsightRequest::new(collected, draft), timestamp, headers });
        Ok(())
    }
}
