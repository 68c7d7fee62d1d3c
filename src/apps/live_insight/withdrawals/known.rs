//! The withdrawals of a stream that are still known.

use std::collections::{HashMap, HashSet};

use tidemill::{
    Data,
    processor::ProcessorContext,
    state::{BoxError, Json, Utf8},
};
use tidemill_schemas::ChatMessage;

use super::{KEPT_MS, Part, SLOT_MS, WITHDRAWN};
use crate::apps::Withdrawal;

/// The start of the slot that contains a time.
pub(super) fn slot_of(at_ms: i64) -> i64 {
    at_ms.max(0) / SLOT_MS * SLOT_MS
}

/// The known withdrawals of a stream, the oldest first.
pub(in crate::apps::live_insight) fn known<K: Data, V: Data>(
    ctx: &ProcessorContext<'_, K, V>,
    stream_id: &String,
) -> Result<Known, BoxError> {
    let store = ctx.window_store_with::<String, Withdrawal<Part>>(WITHDRAWN, Utf8, Json::default())?;
    let now_ms = ctx.current_stream_time_ms();
    let mut all = Vec::new();
    for slot in (slot_of(now_ms - KEPT_MS)..=slot_of(now_ms)).step_by(SLOT_MS as usize) {
        all.extend(store.elements(stream_id, slot)?);
    }
    Ok(Known(all))
}

/// Withdrawals.
#[derive(Debug, Default)]
pub(in crate::apps::live_insight) struct Known(pub(super) Vec<Withdrawal<Part>>);

impl Known {
    /// The messages that are not withdrawn, and the number of the others.
    pub(in crate::apps::live_insight) fn leave_out(&self, mut chats: Vec<ChatMessage>) -> (Vec<ChatMessage>, u64) {
        if self.0.is_empty() {
            return (chats, 0);
        }
        let (mut messages, mut viewers) = (HashSet::new(), HashMap::new());
        for withdrawal in &self.0 {
            match withdrawal.part {
                Part::Chat => {
                    messages.insert(withdrawal.id.as_str());
                }
                Part::Viewers => {
                    let until = viewers.entry(withdrawal.id.as_str()).or_insert(i64::MIN);
                    *until = withdrawal.until_ms().max(*until);
                }
            }
        }
        let before = chats.len();
        chats.retain(|chat| {
            let message = chat.id.as_deref().is_some_and(|id| messages.contains(id));
            let viewer = viewers.get(chat.user_id.as_str()).is_some_and(|until| chat.timestamp <= *until);
            !message && !viewer
        });
        let left_out = before - chats.len();
        (chats, left_out as u64)
    }
}
