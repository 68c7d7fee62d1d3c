//! Puts a streamed answer together, so that it reads like a whole one.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::{answer, refusal};
use crate::llm::{error::ModelError, reply::TokenUsage, request::ModelRequest};

/// What came so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    content: String,
    reasoning: String,
    refusal: String,
    calls: Vec<Call>,
    finish: Option<String>,
    usage: Option<Value>,
    id: Option<String>,
    model: Option<String>,
}

#[derive(Debug, Default)]
struct Call {
    /// The server's number of the call. Some servers send none.
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    extra: Value,
}

impl Assembly {
    /// Adds an event. Returns whether it was the last one.
    pub(super) fn add(&mut self, event: &str, pause: Option<Duration>) -> Result<bool, ModelError> {
        if event.trim() == "[DONE]" {
            return Ok(true);
        }
        let chunk: Value = serde_json::from_str(event).map_err(|_| ModelError::malformed("an event is no JSON"))?;
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return Err(refusal::error(StatusCode::OK, pause, &chunk));
        }
        let named = |name: &str| chunk[name].as_str().map(ToOwned::to_owned);
        self.id = named("id").or(self.id.take());
        self.model = named("model").or(self.model.take());
        if chunk["usage"].is_object() {
            self.usage = Some(chunk["usage"].clone());
        }
        // The event with the usage has no choices.
        let Some(choice) = chunk["choices"].get(0) else { return Ok(false) };
        // Some servers send the last part as a whole message.
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        let text = |name: &str| delta[name].as_str().unwrap_or_default();
        self.content.push_str(text("content"));
        self.refusal.push_str(text("refusal"));
        let reasoning = text("reasoning_content");
        self.reasoning.push_str(if reasoning.is_empty() { text("reasoning") } else { reasoning });
        for part in delta["tool_calls"].as_array().into_iter().flatten() {
            self.add_call(part);
        }
        self.finish = choice["finish_reason"].as_str().map(ToOwned::to_owned).or(self.finish.take());
        Ok(false)
    }

    fn add_call(&mut self, part: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (index, id, name) = (part["index"].as_u64(), text(&part["id"]), text(&part["function"]["name"]));
        let known = match index {
            // Some servers give every call the number 0. A new id is a new call all the same.
            Some(_) => self
                .calls
                .iter()
                .rposition(|call| call.index == index)
                .filter(|at| id.is_empty() || self.calls[*at].id.is_empty() || self.calls[*at].id == id),
            // Without a number, a part with a new id or a name begins a call, and others go on with the last one.
            None if !id.is_empty() => self.calls.iter().position(|call| call.id == id),
            None if !name.is_empty() => None,
            None => self.calls.len().checked_sub(1),
        };
        let known = known.unwrap_or_else(|| {
            self.calls.push(Call { index, ..Call::default() });
            self.calls.len() - 1
        });
        let call = &mut self.calls[known];
        if call.id.is_empty() {
            call.id = id;
        }
        // Some servers repeat the name in each part.
        if call.name.is_empty() {
            call.name = name;
        }
        match &part["function"]["arguments"] {
            Value::String(arguments) => call.arguments.push_str(arguments),
            Value::Null => {}
            whole => call.arguments = whole.to_string(),
        }
        if !part["extra_content"].is_null() {
            call.extra = part["extra_content"].clone();
        }
    }

    /// Whether the model had ended, although the end of the stream is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.finish.is_some()
    }

    /// What is paid of an answer that broke off.
    pub(super) fn paid(&self, request: &ModelRequest) -> TokenUsage {
        answer::usage(&self.whole(), request)
    }

    /// The answer, as it would have come in one piece.
    pub(super) fn whole(&self) -> Value {
        let mut message = Map::from_iter([("content".to_owned(), json!(self.content))]);
        if !self.reasoning.is_empty() {
            message.insert("reasoning_content".into(), json!(self.reasoning));
        }
        if !self.refusal.is_empty() {
            message.insert("refusal".into(), json!(self.refusal));
        }
        if !self.calls.is_empty() {
            let calls = self.calls.iter().map(|call| {
                let function = json!({ "name": call.name, "arguments": call.arguments });
                json!({ "id": call.id, "function": function, "extra_content": call.extra })
            });
            message.insert("tool_calls".into(), calls.collect());
        }
        let choice = json!({ "message": message, "finish_reason": self.finish });
        let has_answer = self.finish.is_some() || !self.content.is_empty() || !self.calls.is_empty();
        let choices = if has_answer || !self.reasoning.is_empty() { json!([choice]) } else { json!([]) };
        json!({ "id": self.id, "model": self.model, "choices": choices, "usage": self.usage })
    }
}
