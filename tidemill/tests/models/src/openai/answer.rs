//! Writes answers.

use serde_json::{Map, Value, json};

use crate::dialect::{Envelope, in_pieces};
use crate::reply::{Answer, Finish, ToolCall, Usage};
use crate::schema;

/// When all answers were made: a fixed time, so that the same request gets the same bytes.
const CREATED: u64 = 1_764_547_200;

/// The answer as one object.
pub(crate) fn whole(envelope: Envelope<'_>, answer: &Answer) -> Value {
    let mut message = json!({"role": "assistant", "content": content(answer), "refusal": null});
    if !answer.calls.is_empty() {
        message["tool_calls"] = answer.calls.iter().map(|call| tool_call(answer, call)).collect();
    }
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": reason(answer)});
    let mut response = response(envelope, "chat.completion", json!([choice]));
    if answer.shows_usage {
        response["usage"] = usage(answer.usage);
    }
    response
}

/// The answer in pieces: who speaks, the text or the calls, the reason of the end, and what was used if asked for.
pub(crate) fn pieces(envelope: Envelope<'_>, answer: &Answer) -> Vec<Value> {
    let wants_usage = envelope.asked.stream_usage && answer.shows_usage;
    let piece = |choices: Value, used: Value| {
        let mut piece = response(envelope, "chat.completion.chunk", choices);
        if wants_usage {
            piece["usage"] = used;
        }
        piece
    };
    let choice = |delta: Value, reason: Value| {
        piece(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]), Value::Null)
    };
    let mut pieces = vec![choice(json!({"role": "assistant", "content": ""}), Value::Null)];
    if let Value::String(text) = content(answer) {
        pieces.extend(in_pieces(&text).into_iter().map(|text| choice(json!({"content": text}), Value::Null)));
    }
    for (at, call) in answer.calls.iter().enumerate() {
        let mut begin = tool_call(answer, call);
        begin["index"] = json!(at);
        let arguments = begin["function"]["arguments"].as_str().unwrap_or_default().to_owned();
        begin["function"]["arguments"] = json!("");
        pieces.push(choice(json!({"tool_calls": [begin]}), Value::Null));
        for part in in_pieces(&arguments) {
            let more = json!({"index": at, "function": {"arguments": part}});
            pieces.push(choice(json!({"tool_calls": [more]}), Value::Null));
        }
    }
    pieces.push(choice(json!({}), reason(answer)));
    if wants_usage {
        pieces.push(piece(json!([]), usage(answer.usage)));
    }
    pieces
}

/// No choices.
pub(crate) fn empty(envelope: Envelope<'_>, used: Usage) -> Value {
    let mut response = response(envelope, "chat.completion", json!([]));
    response["usage"] = usage(used);
    response
}

/// An error in the place of an answer, as gateways send it.
pub(crate) fn ok_error() -> Value {
    json!({"error": {"message": "Provider returned error", "type": "server_error", "param": null, "code": 502}})
}

fn content(answer: &Answer) -> Value {
    match (&answer.thought, answer.calls.is_empty()) {
        (Some(thought), true) => json!(format!("<think>\n{thought}\n</think>\n\n{}", answer.text)),
        (None, true) => json!(answer.text),
        (_, false) => Value::Null,
    }
}

fn tool_call(answer: &Answer, call: &ToolCall) -> Value {
    let mut arguments = call.arguments.to_string();
    if answer.finish == Finish::MalformedCall {
        arguments = schema::broken(&arguments);
    }
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

fn reason(answer: &Answer) -> Value {
    json!(match answer.finish {
        Finish::Length => "length",
        Finish::Withheld => "content_filter",
        Finish::StopDespiteCalls => "stop",
        _ if !answer.calls.is_empty() => "tool_calls",
        _ => "stop",
    })
}

fn usage(used: Usage) -> Value {
    let mut usage = json!({"prompt_tokens": used.prompt, "completion_tokens": used.output(),
        "total_tokens": used.total()});
    if used.thoughts > 0 {
        usage["completion_tokens_details"] = json!({"reasoning_tokens": used.thoughts});
    }
    usage
}

fn response(envelope: Envelope<'_>, object: &str, choices: Value) -> Value {
    let mut response = Map::new();
    response.insert("id".into(), json!(format!("chatcmpl-{}", envelope.id)));
    response.insert("object".into(), json!(object));
    response.insert("created".into(), json!(CREATED));
    response.insert("model".into(), json!(envelope.asked.model));
    response.insert("choices".into(), choices);
    Value::Object(response)
}
