//! The request to an external analyst: a sample of the window and the insight of the offline analysis.

use serde::{Deserialize, Serialize};
use tidemill::state::json_coded;
use tidemill_schemas::Insight;

use super::analysis::{ChatWindow, Sources, people};
use crate::apps::{Analyst, Answer, evenly};

/// The maximum number of chat messages and segments in a request. A busy minute has tens of thousands of messages. A
/// model needs only a sample, because the draft has the counts, spikes and reactions of the whole window.
const CHATS: usize = 200;
const SEGMENTS: usize = 100;

/// A closed window on its way to an analyst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InsightRequest {
    /// The window, with a sample of its segments and of people's chats.
    pub window: ChatWindow,
    /// The result of the offline analysis of the whole window. It is published if no analyst answers.
    pub draft: Insight,
    /// Who wrote what the draft shows.
    #[serde(default)]
    pub sources: Sources,
}

json_coded!(InsightRequest);

impl InsightRequest {
    pub(super) fn new(window: ChatWindow, draft: Insight, sources: Sources) -> Self {
        let chats = evenly(&people(&window).0, CHATS).into_iter().cloned().collect();
        let segments = evenly(&window.segments, SEGMENTS);
        Self { window: ChatWindow { chats, segments, ..window }, draft, sources }
    }
}

/// An analyst that needs no network. It answers with the draft.
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
