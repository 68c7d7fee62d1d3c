//! What an analyst is asked and answers: who the athlete is and what was measured; a grade and a sentence.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidemill::state::{Codec, CodecError, Json, json_coded};
use tidemill_schemas::{FormFeedback, UserProfile};

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

/// What an analyst says about a window. All else of the feedback was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Who says it, such as `offline` or a model's name.
    pub analyst: String,
    /// Form out of ten, where there is something to grade.
    pub grade: Option<f32>,
    /// One sentence to act on.
    pub sentence: String,
}

json_coded!(Verdict);

impl Verdict {
    /// The verdict of the offline analysis.
    pub fn of(draft: &FormFeedback) -> Self {
        let FormFeedback { analyst, grade, sentence, .. } = draft;
        Self { analyst: analyst.clone(), grade: *grade, sentence: sentence.clone() }
    }
}

/// The codec of requests on their topic: without what is only drawn, which is most of a feedback. No analyst sees the
/// picture of a body.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked;

impl Codec<FeedbackRequest> for Asked {
    fn encode_into(&self, request: &FeedbackRequest, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let FeedbackRequest { profile, draft } = request.clone();
        let draft = FormFeedback { skeleton: Vec::new(), frames: Vec::new(), progress: Vec::new(), ..draft };
        Json::default().encode_into(&FeedbackRequest { profile, draft }, out)
    }

    fn decode(&self, bytes: Bytes) -> Result<FeedbackRequest, CodecError> {
        Json::default().decode(bytes)
    }
}

/// The analyst that needs no network: the draft is the answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineForm;

impl Analyst<FeedbackRequest, Verdict> for OfflineForm {
    fn name(&self) -> &'static str {
        "offline"
    }

    fn analyze<'a>(&'a self, request: &'a FeedbackRequest) -> Answer<'a, Verdict> {
        Box::pin(async { Ok(Verdict::of(&request.draft)) })
    }
}
