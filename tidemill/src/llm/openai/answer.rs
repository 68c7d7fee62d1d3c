//! Reads an answer in OpenAI's words. Servers leave out what they like, so everything is optional.

use std::{collections::BTreeSet, time::Duration};

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::refusal;
use crate::llm::{
    error::ModelError,
    reply::{Finish, ModelReply, TokenUsage},
    request::{ModelRequest, Opaque, ToolCall},
};

pub(super) fn reply(
    whole: &Value,
    request: &ModelRequest,
    provider: &str,
    pause: Option<Duration>,
) -> Result<ModelReply, ModelError> {
    if whole.get(0).unwrap_or(whole).get("error").is_some_and(|error| !error.is_null()) {
        return Err(refusal::error(StatusCode::OK, pause, whole));
    }
    let Some(choice) = whole["choices"].get(0) else {
        return Err(ModelError::malformed("it has no answer").with_usage(usage(whole, request)));
    };
    let message = &choice["message"];
    let text = content(&message["content"]);
    let raw_calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
    let calls = tool_calls(raw_calls, request.turns.len());
    let refused = message["refusal"].as_str().is_some_and(|refusal| !refusal.is_empty());
    let finish = match choice["finish_reason"].as_str() {
        _ if refused => Finish::Blocked("refusal".into()),
        Some("length" | "max_tokens") => Finish::Length,
        Some("content_filter") => Finish::Blocked("content_filter".into()),
        // Some servers say `stop` although they ask for tools.
        Some("stop" | "tool_calls" | "function_call" | "eos") | None if !calls.is_empty() => Finish::ToolCalls,
        Some("stop" | "tool_calls" | "function_call" | "eos") | None => Finish::Stop,
        Some(reason) => Finish::Other(harmless(reason)),
    };
    let reasoning = ["reasoning_content", "reasoning"].into_iter().find_map(|name| message[name].as_str());
    let extra: Vec<_> = raw_calls.iter().map(|call| call["extra_content"].clone()).collect();
    let opaque = (reasoning.is_some() || extra.iter().any(|extra| !extra.is_null()))
        .then(|| Opaque { provider: provider.to_owned(), parts: json!({ "reasoning": reasoning, "extra": extra }) });
    let named = |name: &str| whole[name].as_str().unwrap_or_default().to_owned();
    let (model_version, response_id, usage) = (named("model"), named("id"), usage(whole, request));
    Ok(ModelReply { text, calls, finish, usage, model_version, response_id, opaque })
}

/// A text, or a list of parts with texts.
fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn tool_calls(calls: &[Value], turn: usize) -> Vec<ToolCall> {
    let mut ids = BTreeSet::new();
    let calls = calls.iter().enumerate().map(|(at, call)| {
        // Ids tie results to calls, so each needs one of its own.
        let id = call["id"].as_str().filter(|id| !id.is_empty() && ids.insert((*id).to_owned()));
        let id = id.map_or_else(|| format!("call-{turn}-{at}"), ToOwned::to_owned);
        let function = &call["function"];
        let (arguments, broken) = match &function["arguments"] {
            Value::String(text) if text.trim().is_empty() => (json!({}), false),
            Value::String(text) => match serde_json::from_str(text) {
                Ok(arguments) => (arguments, false),
                Err(_) => (Value::from(text.as_str()), true),
            },
            Value::Null => (json!({}), false),
            other => (other.clone(), false),
        };
        ToolCall { id, name: function["name"].as_str().unwrap_or_default().to_owned(), arguments, broken }
    });
    calls.collect()
}

/// The usage that the server tells, or an estimate.
pub(super) fn usage(whole: &Value, request: &ModelRequest) -> TokenUsage {
    let usage = &whole["usage"];
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    match (count("/prompt_tokens"), count("/completion_tokens")) {
        (Some(input_tokens), output) => TokenUsage {
            input_tokens,
            output_tokens: output.unwrap_or(0),
            thinking_tokens: count("/completion_tokens_details/reasoning_tokens").unwrap_or(0),
            cached_tokens: count("/prompt_tokens_details/cached_tokens").unwrap_or(0),
            estimated: false,
        },
        _ => {
            let message = &whole["choices"][0]["message"];
            let texts = ["content", "reasoning_content", "reasoning"].map(|name| content(&message[name]).len());
            let calls = message["tool_calls"].as_array().map_or(0, |_| message["tool_calls"].to_string().len());
            TokenUsage::estimate(request.bytes(), (texts.iter().sum::<usize>() + calls) as u64)
        }
    }
}

fn harmless(reason: &str) -> String {
    let is_name = reason.len() <= 60 && reason.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if is_name { reason.to_owned() } else { "UNKNOWN".to_owned() }
}
