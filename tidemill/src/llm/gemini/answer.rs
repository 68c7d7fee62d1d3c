//! Reads an answer of Gemini, whole or in parts.

use reqwest::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{body::OWN_ID, refusal};
use crate::llm::{
    error::{ModelError, ModelErrorKind},
    reply::{Finish, ModelReply, TokenUsage},
    request::{ModelRequest, Opaque, ToolCall},
};

/// What came so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    parts: Vec<Value>,
    finish: Option<String>,
    blocked: Option<String>,
    usage: Option<Usage>,
    model_version: String,
    response_id: String,
    /// Whether an error came in the place of an answer or of a part.
    refused: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Chunk {
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Usage>,
    model_version: Option<String>,
    response_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

/// Counts that are zero are left out on the wire.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Usage {
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    cached_content_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
}

/// A count of tokens; `None` if what was told is no count, such as a negative number.
#[derive(Debug, Clone, Copy)]
struct Count(Option<u64>);

impl Default for Count {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let told = Value::deserialize(deserializer)?;
        Ok(if told.is_null() { Self::default() } else { Self(told.as_u64()) })
    }
}

impl Answer {
    /// Adds a part, or the whole.
    pub(super) fn add(&mut self, part: Value) -> Result<(), ModelError> {
        if part.get(0).unwrap_or(&part).get("error").is_some_and(|error| !error.is_null()) {
            self.refused = true;
            return Err(refusal::error(StatusCode::INTERNAL_SERVER_ERROR, None, &part));
        }
        let chunk: Chunk = serde_json::from_value(part).map_err(|_| ModelError::malformed("its form is unknown"))?;
        if let Some(candidate) = chunk.candidates.into_iter().flatten().next() {
            self.parts.extend(candidate.content.and_then(|content| content.parts).into_iter().flatten());
            self.finish = candidate.finish_reason.or(self.finish.take());
        }
        self.blocked = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason).or(self.blocked.take());
        // Each part repeats the counts so far.
        self.usage = chunk.usage_metadata.or(self.usage);
        self.model_version = chunk.model_version.unwrap_or(std::mem::take(&mut self.model_version));
        self.response_id = chunk.response_id.unwrap_or(std::mem::take(&mut self.response_id));
        Ok(())
    }

    /// What is paid, also of an answer that broke off: its output is told only at its end.
    pub(super) fn paid(&self, request: &ModelRequest) -> TokenUsage {
        let estimate = TokenUsage::estimate(request.bytes(), self.bytes());
        match self.told_usage() {
            None => estimate,
            Some(told) if self.finish.is_none() && told.output_tokens < estimate.output_tokens => {
                TokenUsage { output_tokens: estimate.output_tokens, estimated: true, ..told }
            }
            Some(told) => told,
        }
    }

    /// What the provider has told so far about the usage; `None` if a count makes no sense.
    fn told_usage(&self) -> Option<TokenUsage> {
        let usage = self.usage?;
        let thinking_tokens = usage.thoughts_token_count.0?;
        Some(TokenUsage {
            input_tokens: usage.prompt_token_count.0?.saturating_add(usage.tool_use_prompt_token_count.0?),
            output_tokens: usage.candidates_token_count.0?.saturating_add(thinking_tokens),
            thinking_tokens,
            cached_tokens: usage.cached_content_token_count.0?,
            estimated: false,
        })
    }

    pub(super) const fn tells_usage(&self) -> bool {
        self.usage.is_some()
    }

    pub(super) const fn is_refused(&self) -> bool {
        self.refused
    }

    /// Roughly how much came, in bytes.
    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.to_string().len() as u64).sum()
    }

    pub(super) fn reply(self, request: &ModelRequest, provider: &str) -> Result<ModelReply, ModelError> {
        let usage = self.paid(request);
        if let Some(reason) = self.blocked.filter(|reason| reason != "BLOCK_REASON_UNSPECIFIED") {
            return Err(ModelErrorKind::Blocked { reason: harmless(&reason) }.into());
        }
        let Some(finish) = self.finish else {
            // A stream that ends without a reason broke off. A whole answer without a candidate is an empty one.
            return Err(if self.parts.is_empty() {
                ModelError::malformed("it has no answer")
            } else {
                ModelError::unavailable("the answer broke off")
            });
        };
        let text = self.parts.iter().filter(|part| part["thought"] != true).filter_map(|part| part["text"].as_str());
        let text: String = text.collect();
        let calls = self.parts.iter().filter_map(|part| part.get("functionCall")).enumerate();
        let calls: Vec<_> = calls.map(|(at, call)| tool_call(call, request.turns.len(), at)).collect();
        let finish = match finish.as_str() {
            "STOP" | "FINISH_REASON_UNSPECIFIED" if calls.is_empty() => Finish::Stop,
            "STOP" | "FINISH_REASON_UNSPECIFIED" => Finish::ToolCalls,
            "MAX_TOKENS" => Finish::Length,
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "MODEL_ARMOR" => {
                Finish::Blocked(finish)
            }
            reason if reason.starts_with("IMAGE_") && reason != "IMAGE_OTHER" => Finish::Blocked(harmless(reason)),
            // LANGUAGE, OTHER, MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, and those of tomorrow.
            reason => Finish::Other(harmless(reason)),
        };
        let opaque = (!self.parts.is_empty()).then(|| {
            let parts = self.parts.into_iter().filter(|part| part["thought"] != true).collect();
            Opaque { provider: provider.to_owned(), parts }
        });
        let (model_version, response_id) = (self.model_version, self.response_id);
        Ok(ModelReply { text, calls, finish, usage, model_version, response_id, opaque })
    }
}

fn tool_call(call: &Value, turn: usize, at: usize) -> ToolCall {
    let id = call["id"].as_str().filter(|id| !id.is_empty());
    ToolCall {
        id: id.map_or_else(|| format!("{OWN_ID}{turn}-{at}"), ToOwned::to_owned),
        name: call["name"].as_str().unwrap_or_default().to_owned(),
        arguments: call.get("args").filter(|args| !args.is_null()).cloned().unwrap_or_else(|| serde_json::json!({})),
        broken: false,
    }
}

/// A reason is a name. Anything else is not shown.
fn harmless(reason: &str) -> String {
    let is_name = reason.len() <= 60 && reason.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if is_name { reason.to_owned() } else { "UNKNOWN".to_owned() }
}
