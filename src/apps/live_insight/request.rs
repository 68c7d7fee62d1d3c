//! What an analyst outside is asked: a sample of the window, with the insight that needs no model.

use serde::{Deserialize, Serialize};
use tidemill::state::json_coded;
use tidemill_schemas::Insight;

use super::analysis::ChatWindow;
use crate::apps::{Analyst, Answer, evenly};

/// The most chat messages and segments of a request. A busy minute has tens of thousands, of which a model needs
/// a sample: counts, spikes and reactions over all of them are in the draft.
const CHATS: usize = 200;
const SEGMENTS: usize = 100;

/// A closed window on its way to an analyst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InsightRequest {
    /// The window, its chats and segments sampled.
    pub window: ChatWindow,
    /// What the offline analysis of the whole window found. It stands if no analyst answers.
    pub draft: Insight,
}

json_coded!(InsightRequest);

impl InsightRequest {
    pub(super) fn new(window: ChatWindow, draft: Insight) -> Self {
        let (chats, segments) = (evenly(&window.chats, CHATS), evenly(&window.segments, SEGMENTS));
        Self { window: ChatWindow { chats, segments, ..window }, draft }
    }
}

/// The analyst that needs no network: the draft is the answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineLive;

impl Analyst<InsightRequest, Insight> for OfflineLive {
    fn name(&self) -> &'static str {
        "offline"
    }

    fn analyze<'a>(&'a self, request: &'a InsightRequest) -> Answer<'a, Insight> {
        Box::pin(async { Ok(request.draft.clone()) })
    }
}
