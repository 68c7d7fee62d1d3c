//! What an analyst is asked: who the athlete is, and what was measured. A model outside is shown none of the frames.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{FormFeedback, UserProfile};
use tidemill_topology::state::json_coded;

use crate::apps::{Analyst, Answer};

/// A closed window on its way to an analyst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackRequest {
    /// The athlete, if known.
    pub profile: Option<UserProfile>,
    /// What the offline analysis measured and found. It stands if no analyst answers.
    pub draft: FormFeedback,
}

json_coded!(FeedbackRequest);

/// The analyst that needs no network: the draft is the answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineForm;

impl Analyst<FeedbackRequest, FormFeedback> for OfflineForm {
    fn name(&self) -> &'static str {
        "offline"
    }

    fn analyze<'a>(&'a self, request: &'a FeedbackRequest) -> Answer<'a, FormFeedback> {
        Box::pin(async { Ok(request.draft.clone()) })
    }
}
