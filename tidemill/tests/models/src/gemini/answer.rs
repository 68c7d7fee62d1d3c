//! Writes answers.

use serde_json::{Map, Value, json};

use crate::dialect::{Envelope, in_pieces};
use crate::reply::{Answer, Finish, Usage};

const HARMS: [&str; 4] = ["HATE_SPEECH", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT"];

/// The answer as one object.
pub(crate) fn whole(envelope: Envelope<'_>, answer: &Answer) -> Value {
    let parts = parts(answer, &answer.text);
    response(envelope, Some(candidate(answer, parts)), answer.shows_usage.then(|| usage(answer.usage)))
}

/// The answer in pieces. The last one has no text, only the reason of the end.
pub(crate) fn pieces(envelope: Envelope<'_>, answer: &Answer) -> Vec<Value> {
    let so_far = || answer.shows_usage.then(|| usage(Usage { prompt: answer.usage.prompt, ..Usage::default() }));
    let piece = |parts: Vec<Value>| {
        let candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        response(envelope, Some(candidate), so_far())
    };
    let mut pieces = Vec::new();
    if ends_without_content(answer.finish) {
        pieces.push(piece(vec![json!({"text": ""})]));
    } else {
        if let Some(thought) = &answer.thought {
            pieces.push(piece(vec![json!({"text": thought, "thought": true})]));
        }
        if answer.calls.is_empty() {
            pieces.extend(in_pieces(&answer.text).into_iter().map(|text| piece(vec![json!({"text": text})])));
        } else {
            pieces.push(piece(calls(answer)));
        }
    }
    let end = candidate(answer, vec![json!({"text": ""})]);
    pieces.push(response(envelope, Some(end), answer.shows_usage.then(|| usage(answer.usage))));
    pieces
}

/// No candidates; with a reason if the prompt is refused.
pub(crate) fn empty(envelope: Envelope<'_>, used: Usage, blocked: Option<&str>) -> Value {
    let mut response = response(envelope, None, Some(usage(used)));
    if let Some(reason) = blocked {
        response["promptFeedback"] = json!({"blockReason": reason, "safetyRatings": ratings(false)});
    }
    response
}

/// An error in the place of an answer.
pub(crate) fn ok_error() -> Value {
    json!({"error": {"code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE"}})
}

fn ends_without_content(finish: Finish) -> bool {
    matches!(finish, Finish::Withheld | Finish::MalformedCall)
}

fn parts(answer: &Answer, text: &str) -> Vec<Value> {
    let mut parts = Vec::new();
    if let Some(thought) = &answer.thought {
        parts.push(json!({"text": thought, "thought": true}));
    }
    if answer.calls.is_empty() && !text.is_empty() {
        parts.push(json!({"text": text}));
    }
    parts.extend(calls(answer));
    parts
}

fn calls(answer: &Answer) -> Vec<Value> {
    let call = |call: &crate::reply::ToolCall| {
        let mut function = json!({"name": call.name, "id": call.id});
        // The API leaves empty arguments out.
        if call.arguments.as_object().is_none_or(|arguments| !arguments.is_empty()) {
            function["args"] = call.arguments.clone();
        }
        json!({"functionCall": function})
    };
    answer.calls.iter().map(call).collect()
}

fn candidate(answer: &Answer, parts: Vec<Value>) -> Value {
    let reason = match answer.finish {
        Finish::Stop | Finish::StopDespiteCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Withheld => "SAFETY",
        Finish::MalformedCall => "MALFORMED_FUNCTION_CALL",
    };
    let mut candidate = Map::new();
    if !ends_without_content(answer.finish) {
        // Without parts, the content is there, and says only who speaks.
        let mut content = json!({"role": "model"});
        if !parts.is_empty() {
            content["parts"] = Value::Array(parts);
        }
        candidate.insert("content".into(), content);
    }
    candidate.insert("finishReason".into(), json!(reason));
    if answer.finish == Finish::MalformedCall {
        let names: Vec<&str> = answer.calls.iter().map(|call| call.name.as_str()).collect();
        candidate.insert(
            "finishMessage".into(),
            json!(format!("Malformed function call: print(default_api.{}(", names.join(","))),
        );
    }
    candidate.insert("index".into(), json!(0));
    candidate.insert("safetyRatings".into(), ratings(answer.finish == Finish::Withheld));
    Value::Object(candidate)
}

fn ratings(blocked: bool) -> Value {
    let rating = |(at, harm): (usize, &&str)| {
        let mut rating = json!({"category": format!("HARM_CATEGORY_{harm}"), "probability": "NEGLIGIBLE"});
        if blocked && at == 1 {
            rating["probability"] = json!("HIGH");
            rating["blocked"] = json!(true);
        }
        rating
    };
    HARMS.iter().enumerate().map(rating).collect()
}

/// The API leaves counts of 0 out.
fn usage(used: Usage) -> Value {
    let mut usage = json!({"promptTokenCount": used.prompt, "totalTokenCount": used.total()});
    if used.answer > 0 {
        usage["candidatesTokenCount"] = json!(used.answer);
    }
    if used.thoughts > 0 {
        usage["thoughtsTokenCount"] = json!(used.thoughts);
    }
    usage
}

fn response(envelope: Envelope<'_>, candidate: Option<Value>, usage: Option<Value>) -> Value {
    let mut response = json!({"modelVersion": envelope.asked.model, "responseId": envelope.id});
    if let Some(candidate) = candidate {
        response["candidates"] = json!([candidate]);
    }
    if let Some(usage) = usage {
        response["usageMetadata"] = usage;
    }
    response
}
