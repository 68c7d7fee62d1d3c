//! Turns a window of frames into a request and updates the athlete's progress.

use tidemill::{
    Record, Window, Windowed,
    processor::{Processor, ProcessorContext},
    state::{BoxError, Json, Utf8},
};

use super::{
    analysis::{Assessment, PoseWindow, SessionProgress},
    request::FeedbackRequest,
};
use crate::apps::refuse_panics;

/// The store with each athlete's progress. The key is the user's id.
pub(super) const STORE: &str = "progress";

#[derive(Default)]
pub(super) struct Progress;

impl Processor<String, PoseWindow, Windowed<String>, FeedbackRequest> for Progress {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, FeedbackRequest>,
        record: Record<String, PoseWindow>,
    ) -> Result<(), BoxError> {
        let Record { key: user_id, value: mut collected, timestamp, headers } = record;
        let store = ctx.key_value_store_with::<String, SessionProgress>(STORE, Utf8, Json::default())?;
        collected.progress = store.get(&user_id)?.unwrap_or_default();
        let Assessment { feedback: draft, progress } = refuse_panics(|| Assessment::of(&collected))?;
        store.put(&user_id, &progress, timestamp)?;
        let window = Window { start: collected.start_ms, end: collected.end_ms };
        let value = FeedbackRequest { profile: collected.profile, draft };
        ctx.forward(Record { key: Windowed { key: user_id, window }, value, timestamp, headers });
        Ok(())
    }
}
