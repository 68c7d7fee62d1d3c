//! Whatever goes wrong, the bill is what the answers say they used.

mod http;

use http::{Answer, CHAT, GEMINI, GEMINI_STREAM, ask_chat, ask_gemini, request, soon};
use serde_json::{Value, json};
use tidemill_model_server::{Fault, ModelServer, Outcome, Rates, Schedule};

const VERTEX: &str = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash";

/// A way to ask: a path, and a body with a schema and tools.
fn ways() -> Vec<(String, Value)> {
    let parameters = json!({"type": "object", "required": ["days"], "properties": {"days": {"type": "integer"}}});
    let schema = json!({"type": "object", "required": ["mood"], "properties": {"mood": {"type": "string"}}});
    let tool = json!({"name": "weather", "parameters": parameters});
    let chat = json!({"tools": [{"type": "function", "function": tool}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}});
    let mut stream = chat.clone();
    stream["stream"] = json!(true);
    stream["stream_options"] = json!({"include_usage": true});
    let gemini = ask_gemini(json!({"tools": [{"functionDeclarations": [tool]}],
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}}));
    vec![
        (CHAT.into(), ask_chat(chat)),
        (CHAT.into(), ask_chat(stream)),
        (GEMINI.into(), gemini.clone()),
        (GEMINI_STREAM.into(), gemini.clone()),
        (format!("{VERTEX}:generateContent"), gemini.clone()),
        (format!("{VERTEX}:streamGenerateContent?alt=sse"), gemini),
    ]
}

/// Input and output tokens, as the answer says.
fn usage(answer: &Answer) -> Option<(u64, u64)> {
    let last = match answer.pieces().pop() {
        Some(piece) => piece,
        None => serde_json::from_str(&answer.body).ok()?,
    };
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    if let Some(usage) = last.get("usage") {
        return Some((number(&usage["prompt_tokens"]), number(&usage["completion_tokens"])));
    }
    let usage = last.get("usageMetadata")?;
    let output = number(&usage["candidatesTokenCount"]) + number(&usage["thoughtsTokenCount"]);
    assert_eq!(number(&usage["totalTokenCount"]), number(&usage["promptTokenCount"]) + output);
    Some((number(&usage["promptTokenCount"]), output))
}

#[test]
fn the_bill_is_what_the_answers_say() {
    for thinking_tokens in [0, 7] {
        let server = ModelServer::start(Schedule { thinking_tokens, pause_ms: 0, ..Schedule::default() });
        let mut sum = (0, 0);
        for fault in Fault::ALL.iter().copied().map(Some).chain([None]) {
            if fault == Some(Fault::Hang) {
                continue;
            }
            server.change(|schedule| schedule.rates = fault.map(Rates::always).unwrap_or_default());
            for (path, body) in ways() {
                let headers = [("authorization", "Bearer key"), ("x-goog-api-key", "key"), ("x-request-id", "a")];
                let answer = request(&server, "POST", &path, &headers, &body.to_string());
                let call = server.calls().pop().expect("a call");
                let what = format!("{fault:?} at {path}: {answer:?}, {call:?}");
                assert_eq!(call.outcome, fault.map_or(Outcome::Answered, Outcome::Fault), "{what}");
                assert_eq!(call.status, answer.status, "{what}");
                // These do not come to the place where they would say what they used.
                let part = matches!(fault, Some(Fault::Cut | Fault::Unfinished | Fault::OkError | Fault::NoUsage));
                match usage(&answer) {
                    Some(used) if !part => assert_eq!((call.input_tokens, call.output_tokens), used, "{what}"),
                    _ => assert_eq!(call.billed, part && (fault != Some(Fault::OkError) || call.stream), "{what}"),
                }
                assert!(answer.status == 200 || !call.billed, "{what}");
                sum = (sum.0 + call.input_tokens, sum.1 + call.output_tokens);
            }
        }
        let bill = server.bill();
        assert_eq!((bill.input_tokens, bill.output_tokens), sum);
        assert_eq!(bill.by_id["a"], bill.billed_calls);
        soon("all calls are over", || server.at_once() == 0 && server.connections() == 0);
    }
}
