//! The request to an analyst (the athlete's profile and the measurements) and its answer (a grade and a sentence).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidemill::state::{Codec, CodecError, Json, json_coded};
use tidemill_schemas::{FormFeedback, UserProfile};

use crate::apps::{Analyst, Answer};

/// A closed window on its way to an analyst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackRequest {
    /// The athlete's profile, if the athlete has saved one.
    pub profile: Option<UserProfile>,
    /// The result of the offline analysis. It is published if no analyst answers.
    pub draft: FormFeedback,
}

json_coded!(FeedbackRequest);

/// An analyst's answer for a window. All other fields of the feedback are measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The analyst's name: `offline` or a model's name.
    pub analyst: String,
    /// Grade of the form, from 0 to 10. `None` if there is no movement to grade.
    pub grade: Option<f32>,
    /// One sentence of advice.
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

/// The codec of requests on their topic. It leaves out the fields that only the page draws, which are most of a
/// feedback. Analysts do not get the skeleton and the frames.
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

/// An analyst that needs no network. It answers with the draft.
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
