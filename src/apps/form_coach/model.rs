//! Asks a model for a grade and one sentence about a window. The model sees the offline analysis's measurements.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};
use tidemill::{
    Windowed,
    llm::{ModelTask, Prompt, Tool},
};
use tidemill_schemas::Phase;

use super::request::{FeedbackRequest, Verdict};
use crate::apps::{
    Asked, TenantOf,
    shown::{has_link, line},
    windowed_key,
};

/// The file of the prompt.
const FILE: &str = include_str!("prompts/form-coach.v1.toml");

/// What a model is told.
pub static PROMPT: LazyLock<Arc<Prompt>> =
    LazyLock::new(|| Arc::new(Prompt::parse(FILE).expect("a test reads the prompts of this program")));

/// The task of a model: a grade and one sentence.
pub struct FormTask {
    prompt: Arc<Prompt>,
    tenant_of: TenantOf,
    tools: Vec<Arc<dyn Tool>>,
}

#[derive(Deserialize)]
struct Judged {
    grade: f32,
    sentence: String,
}

/// The questions for those who change the prompt.
pub(super) const ASKED: Asked = Asked {
    prompt: FILE,
    questions: |setup| {
        let nobody: fn(Arc<Prompt>) -> FormTask =
            |prompt| FormTask::new(Arc::new(|_: &str| Arc::from("")), Vec::new()).with_prompt(prompt);
        setup.questions(nobody, windowed_key, decided)
    },
};

/// What a model decides.
fn decided(verdict: &Verdict) -> Value {
    json!({ "grade": verdict.grade, "sentence": verdict.sentence })
}

impl FormTask {
    /// The task with this program's prompt, and the tools that the model may use.
    pub fn new(tenant_of: TenantOf, tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { prompt: PROMPT.clone(), tenant_of, tools }
    }

    /// The task with another prompt.
    #[must_use]
    pub fn with_prompt(self, prompt: Arc<Prompt>) -> Self {
        Self { prompt, ..self }
    }
}

/// The data sent to the model. It contains neither the athlete's id nor the frames.
fn data(request: &FeedbackRequest) -> Value {
    let FeedbackRequest { profile, draft } = request;
    json!({
        "exercise": draft.exercise, "exercise_name": draft.exercise_name, "repetitions": draft.repetitions,
        "joints": draft.joints, "tempo": draft.tempo, "symmetry": draft.symmetry, "faults": draft.faults,
        "measured_grade": draft.grade, "session_repetitions": draft.session_repetitions,
        "session_change": draft.session_change, "profile": profile,
    })
}

impl ModelTask<Windowed<String>, FeedbackRequest, Verdict> for FormTask {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    fn data(&self, _key: &Windowed<String>, request: &FeedbackRequest) -> Value {
        data(request)
    }

    /// A window without movement, or one that cannot be judged, gets no grade, so no model is called.
    fn without_model(&self, request: &FeedbackRequest) -> Option<Verdict> {
        let draft = &request.draft;
        (draft.phase != Phase::Working || draft.obstacle.is_some()).then(|| Verdict::of(draft))
    }

    fn answer(&self, request: &FeedbackRequest, output: Value, model: &str) -> Result<Verdict, String> {
        let Judged { grade, sentence } = serde_json::from_value(output).map_err(|error| error.to_string())?;
        if has_link(&sentence) {
            return Err("the sentence has a link: write it without".to_owned());
        }
        let (draft, sentence) = (&request.draft, line(&sentence, 240));
        Ok(Verdict {
            analyst: model.to_owned(),
            grade: if grade.is_finite() { Some(grade.clamp(0.0, 10.0)) } else { draft.grade },
            sentence: if sentence.is_empty() { draft.sentence.clone() } else { sentence },
        })
    }

    fn offline(&self, request: &FeedbackRequest) -> Option<Verdict> {
        Some(Verdict::of(&request.draft))
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.tools.clone()
    }

    fn tenant(&self, key: &Windowed<String>) -> Arc<str> {
        (self.tenant_of)(&key.key)
    }
}
