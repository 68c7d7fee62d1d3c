//! Watches the mood of each stream message by message, so an alert is sent before its window closes.

use std::time::Duration;

use tidemill::{
    Record, Window, Windowed,
    processor::{Processor, ProcessorContext},
    state::{BoxError, Json, Utf8},
};
use tidemill_schemas::{Alert, ChatMessage};

use super::analysis::{CHECK_MS, MoodWatch, RECENT_MS, Voices};
use crate::apps::refuse_panics;

/// The store with each stream's usual mood and its recent alerts. The key is the stream's id.
pub(super) const STORE: &str = "mood";
/// The store with each stream's last seconds, one row per second. A message changes at most one small row. Once a
/// second has enough authors, its row does not change any more.
pub(super) const VOICES: &str = "mood-voices";
/// The watch itself deletes a stream's old rows. The partition's stream time must not expire them, because another
/// stream may be far ahead.
pub(super) const VOICES_KEPT: Duration = Duration::MAX;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mood;

impl Processor<String, ChatMessage, Windowed<String>, Alert> for Mood {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, Alert>,
        record: Record<String, ChatMessage>,
    ) -> Result<(), BoxError> {
        let Record { key: stream_id, value: message, timestamp: now_ms, headers } = record;
        let voices = ctx.window_store_with::<String, Voices>(VOICES, Utf8, Json::default())?;
        let store = ctx.key_value_store_with::<String, MoodWatch>(STORE, Utf8, Json::default())?;
        let mut watch = store.get(&stream_id)?.unwrap_or_default();
        if watch.is_past(now_ms) {
            return Ok(());
        }
        let step = Voices::step_of(now_ms);
        let mut heard = voices.get(&stream_id, step)?.unwrap_or_default();
        if refuse_panics(|| !watch.leaves_out(&message) && heard.hear(&message))? {
            voices.put(&stream_id, step, &heard, now_ms)?;
        }
        if !watch.is_due(now_ms) {
            return Ok(());
        }
        let mut recent = vec![heard];
        for back in 1..=RECENT_MS / CHECK_MS {
            recent.extend(voices.get(&stream_id, step - back * CHECK_MS)?);
        }
        for past in watch.steps_past(now_ms) {
            if voices.get(&stream_id, past)?.is_some() {
                voices.delete(&stream_id, past)?;
            }
        }
        let alert = refuse_panics(|| watch.check(&stream_id, now_ms, &recent))?;
        store.put(&stream_id, &watch, now_ms)?;
        if let Some(alert) = alert {
            ctx.forward(Record { key: alert_key(stream_id, &alert), value: alert, timestamp: now_ms, headers });
        }
        Ok(())
    }
}

/// An alert has no end time. Its key holds the alert's kind in place of the end, so two alerts of different kinds at
/// the same moment have different keys.
pub(super) fn alert_key(stream_id: String, alert: &Alert) -> Windowed<String> {
    let window = Window { start: alert.at_ms, end: alert.at_ms + 1 + alert.kind as i64 };
    Windowed { key: stream_id, window }
}
