//! Asks a model for the mood, the topics and one instruction for a window. The model sees the offline analysis's counts.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};
use tidemill::{
    Windowed,
    llm::{ModelTask, Prompt, Tool},
};
use tidemill_schemas::{HotTopic, Insight, MoodLabel};

use super::request::InsightRequest;
use crate::apps::{
    Asked, TenantOf,
    shown::{has_link, line},
    windowed_key,
};

/// The file of the prompt.
const FILE: &str = include_str!("prompts/live-insight.v1.toml");

/// What a model is told.
pub static PROMPT: LazyLock<Arc<Prompt>> =
    LazyLock::new(|| Arc::new(Prompt::parse(FILE).expect("a test reads the prompts of this program")));

/// The task of a model: a window's mood, topics and instruction.
pub struct LiveTask {
    prompt: Arc<Prompt>,
    tenant_of: TenantOf,
    tools: Vec<Arc<dyn Tool>>,
}

/// The model's answer. The offline analysis counts all other fields of an insight.
#[derive(Deserialize)]
struct Verdict {
    vibe_score: f64,
    mood: MoodLabel,
    hot_topics: Vec<String>,
    instruction: String,
}

/// The questions for those who change the prompt.
pub(super) const ASKED: Asked = Asked {
    prompt: FILE,
    questions: |setup| {
        let nobody: fn(Arc<Prompt>) -> LiveTask =
            |prompt| LiveTask::new(Arc::new(|_: &str| Arc::from("")), Vec::new()).with_prompt(prompt);
        setup.questions(nobody, windowed_key, decided)
    },
};

/// What a model decides.
fn decided(insight: &Insight) -> Value {
    json!({
        "mood": insight.mood,
        "vibe_score": insight.vibe_score,
        "hot_topics": insight.hot_topics.iter().map(|topic| &topic.term).collect::<Vec<_>>(),
        "instruction": insight.instruction,
    })
}

impl LiveTask {
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

/// The data sent to the model. It contains no viewers' names, because the model needs only the texts.
fn data(request: &InsightRequest) -> Value {
    let InsightRequest { window, draft, .. } = request;
    let at = |timestamp: i64| (timestamp - window.start_ms) / 1000;
    let texts = window.chats.iter().filter(|chat| chat.has_text());
    json!({
        "chats": draft.chats,
        "users": draft.users,
        "chats_per_second": draft.chats_per_second,
        "questions": draft.questions,
        "silent_microphone": draft.silent_microphone,
        "usual_chats_per_second": draft.trend.usual_chats_per_second,
        "usual_vibe_score": draft.trend.usual_vibe_score,
        "spikes": draft.spikes.len(),
        "support": draft.support.as_ref().map(|support| json!({
            "paid_messages": support.paid,
            "sums": support.sums.iter().map(|sum| json!([sum.micros as f64 / 1e6, sum.currency])).collect::<Vec<_>>(),
            "new_members": support.new_members,
            "gifted_members": support.gifted_members,
            "milestones": support.milestones,
        })),
        "phrases": draft.phrases.iter().map(|phrase| json!({
            "said": phrase.text, "reactions": phrase.reactions, "lift": phrase.lift,
        })).collect::<Vec<_>>(),
        "chat_sample": texts.map(|chat| json!([at(chat.timestamp), chat.text])).collect::<Vec<_>>(),
        "said_sample": window.segments.iter().map(|said| json!([at(said.timestamp), said.text])).collect::<Vec<_>>(),
    })
}

impl Verdict {
    fn onto(self, draft: &Insight, model: &str) -> Insight {
        let topics = self.hot_topics.iter().map(|term| line(term, 60)).filter(|term| !term.is_empty()).take(5);
        let counted = |term: &str| draft.hot_topics.iter().find(|topic| topic.term.eq_ignore_ascii_case(term)).cloned();
        let topic =
            |term: String| counted(&term).unwrap_or(HotTopic { term, chats: 0, users: 0, lift: 1.0, mood: 0.0 });
        let instruction = line(&self.instruction, 240);
        Insight {
            analyst: model.to_owned(),
            vibe_score: self.vibe_score.round().clamp(0.0, 100.0) as u8,
            mood: self.mood,
            hot_topics: topics.map(topic).collect(),
            instruction: if instruction.is_empty() { draft.instruction.clone() } else { instruction },
            ..draft.clone()
        }
    }
}

impl ModelTask<Windowed<String>, InsightRequest, Insight> for LiveTask {
    fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    fn data(&self, _key: &Windowed<String>, request: &InsightRequest) -> Value {
        data(request)
    }

    fn answer(&self, request: &InsightRequest, output: Value, model: &str) -> Result<Insight, String> {
        let verdict: Verdict = serde_json::from_value(output).map_err(|error| error.to_string())?;
        if verdict.hot_topics.iter().chain([&verdict.instruction]).any(|text| has_link(text)) {
            return Err("a topic or the instruction has a link: write it without".to_owned());
        }
        Ok(verdict.onto(&request.draft, model))
    }

    fn offline(&self, request: &InsightRequest) -> Option<Insight> {
        Some(request.draft.clone())
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.tools.clone()
    }

    fn tenant(&self, key: &Windowed<String>) -> Arc<str> {
        (self.tenant_of)(&key.key)
    }

    /// The answer has the draft in it, which belongs to this window alone.
    fn content(&self, _request: &InsightRequest, _data: Value) -> Option<Value> {
        None
    }
}
