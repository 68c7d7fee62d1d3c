//! Gemini's protocol.

mod http;

use http::{GEMINI, ask_gemini, gemini, gemini_stream, request};
use serde_json::{Value, json};
use tidemill_model_server::{Fault, ModelServer, Rates, Schedule, tokens};

const VERTEX: &str = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent";

fn mood() -> Value {
    json!({"generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT",
        "required": ["mood", "scores"], "propertyOrdering": ["scores", "mood"], "properties": {
            "mood": {"type": "STRING", "enum": ["calm", "tense"]},
            "scores": {"type": "ARRAY", "minItems": 2, "maxItems": 2, "items": {"type": "NUMBER", "maximum": 1}}}}}})
}

fn weather() -> Value {
    json!([{"functionDeclarations": [{"name": "weather", "parameters": {"type": "OBJECT",
        "required": ["days"], "properties": {"days": {"type": "INTEGER", "minimum": 1, "maximum": 7}}}}]}])
}

fn text(answer: &Value) -> &str {
    answer["candidates"][0]["content"]["parts"][0]["text"].as_str().expect("a text")
}

fn always(fault: Fault) -> ModelServer {
    ModelServer::start(Schedule { rates: Rates::always(fault), ..Schedule::default() })
}

#[test]
fn an_answer_is_complete_and_billed_as_it_says() {
    let server = ModelServer::start(Schedule { thinking_tokens: 7, ..Schedule::default() });
    let answer = gemini(&server, "a", &ask_gemini(json!({}))).json();
    let candidate = &answer["candidates"][0];
    assert_eq!((&candidate["finishReason"], &candidate["content"]["role"]), (&json!("STOP"), &json!("model")));
    assert_eq!(candidate["safetyRatings"].as_array().map(Vec::len), Some(4));
    let (prompt, output) = (tokens("Be brief.How is the mood?"), tokens(text(&answer)));
    assert_eq!(
        answer["usageMetadata"],
        json!({"promptTokenCount": prompt, "candidatesTokenCount": output,
        "thoughtsTokenCount": 7, "totalTokenCount": prompt + output + 7})
    );
    assert_eq!(answer["modelVersion"], "gemini-2.5-flash");
    assert!(answer["responseId"].is_string());
    let bill = server.bill();
    assert_eq!((bill.input_tokens, bill.output_tokens), (prompt, output + 7));
    assert_eq!(bill.by_model["gemini-2.5-flash"].billed_calls, 1);
}

#[test]
fn an_answer_fits_the_schema() {
    let server = ModelServer::start(Schedule::default());
    let answer = gemini(&server, "a", &ask_gemini(mood())).json();
    let value: Value = serde_json::from_str(text(&answer)).expect("JSON");
    assert!(["calm", "tense"].contains(&value["mood"].as_str().expect("a mood")));
    assert_eq!(value["scores"].as_array().map(Vec::len), Some(2));
    let standard = json!({"generationConfig": {"responseMimeType": "application/json",
        "responseJsonSchema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": ["integer"], "minimum": 5, "maximum": 5}}}}});
    assert_eq!(text(&gemini(&server, "b", &ask_gemini(standard)).json()), "5");
    let choice = json!({"generationConfig": {"responseMimeType": "text/x.enum",
        "responseSchema": {"type": "STRING", "enum": ["yes", "no"]}}});
    assert!(["yes", "no"].contains(&text(&gemini(&server, "c", &ask_gemini(choice)).json())));
}

#[test]
fn a_stream_says_the_same_as_the_whole_answer() {
    let server = ModelServer::start(Schedule::default());
    let whole = gemini(&server, "a", &ask_gemini(mood())).json();
    let joined = |pieces: &[Value]| -> String { pieces.iter().map(text).collect() };
    let pieces = gemini_stream(&server, "b", &ask_gemini(mood())).pieces();
    assert_eq!(joined(&pieces), text(&whole));
    let last = pieces.last().expect("pieces");
    assert_eq!(
        (&last["candidates"][0]["finishReason"], &last["usageMetadata"]),
        (&json!("STOP"), &whole["usageMetadata"])
    );
    assert!(pieces[0]["usageMetadata"].get("candidatesTokenCount").is_none(), "it comes at the end");
    let array = GEMINI.replace(":generateContent", ":streamGenerateContent");
    let body = ask_gemini(mood()).to_string();
    let array = request(&server, "POST", &array, &[("x-goog-api-key", "k")], &body).json();
    assert_eq!(joined(array.as_array().expect("a list")), text(&whole));
}

#[test]
fn tools_are_asked_for_once_in_a_conversation() {
    let server = ModelServer::start(Schedule { tool_calls: 1.0, ..Schedule::default() });
    let first = gemini(&server, "a", &ask_gemini(json!({"tools": weather()}))).json();
    let content = &first["candidates"][0]["content"];
    let call = &content["parts"][0]["functionCall"];
    assert_eq!(call["name"], "weather");
    assert!((1..=7).contains(&call["args"]["days"].as_i64().expect("days")));
    let second = gemini(
        &server,
        "a",
        &json!({"tools": weather(), "contents": [
        {"role": "user", "parts": [{"text": "How is the mood?"}]}, content,
        {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"sun": true}}}]}]}),
    );
    assert!(!text(&second.json()).is_empty());
    let pieces = gemini_stream(&server, "a", &ask_gemini(json!({"tools": weather()}))).pieces();
    assert_eq!(pieces[0]["candidates"][0]["content"]["parts"][0]["functionCall"]["args"], call["args"]);
    let mode = |mode| json!({"tools": weather(), "toolConfig": {"functionCallingConfig": {"mode": mode}}});
    assert!(
        gemini(&server, "a", &ask_gemini(mode("NONE"))).json()["candidates"][0]["content"]["parts"][0]["text"]
            .is_string()
    );
    server.change(|schedule| schedule.tool_calls = 0.0);
    assert!(
        gemini(&server, "a", &ask_gemini(mode("ANY"))).json()["candidates"][0]["content"]["parts"][0]["functionCall"]
            .is_object()
    );
}

#[test]
fn requests_that_the_api_would_refuse_are_refused() {
    let server = ModelServer::start(Schedule::default());
    let config = |config: Value| ask_gemini(json!({"generationConfig": config}));
    let bad = [
        json!({}),
        json!({"contents": []}),
        json!({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}),
        json!({"contents": [{"role": "user", "parts": []}]}),
        ask_gemini(json!({"messages": []})),
        config(json!({"maxTokens": 5})),
        config(json!({"temperature": 3})),
        config(json!({"responseSchema": {"type": "STRING"}})),
        config(json!({"responseMimeType": "application/json",
            "responseSchema": {"type": "object", "additionalProperties": false}})),
        config(json!({"responseMimeType": "application/json", "responseSchema": {}, "responseJsonSchema": {}})),
    ];
    for body in bad {
        let answer = gemini(&server, "a", &body);
        assert_eq!((answer.status, &answer.json()["error"]["status"]), (400, &json!("INVALID_ARGUMENT")), "{body}");
    }
    let snake = json!({"system_instruction": {"parts": {"text": "a"}}, "contents": {"parts": {"text": "a"}},
        "generation_config": {"max_output_tokens": 9}});
    assert_eq!(gemini(&server, "a", &snake).status, 200, "names in snake case and single values are understood");
}

#[test]
fn keys_are_checked_as_each_api_does() {
    let server = ModelServer::start(Schedule { keys: vec!["right".into()], ..Schedule::default() });
    let body = ask_gemini(json!({})).to_string();
    let ask = |path: &str, headers: &[(&str, &str)]| {
        let answer = request(&server, "POST", path, headers, &body);
        (answer.status, answer.json()["error"]["status"].as_str().unwrap_or_default().to_owned())
    };
    let answer = |status, name: &str| (status, name.to_owned());
    assert_eq!(ask(GEMINI, &[]), answer(403, "PERMISSION_DENIED"));
    assert_eq!(ask(GEMINI, &[("x-goog-api-key", "wrong")]), answer(400, "INVALID_ARGUMENT"));
    assert_eq!(ask(GEMINI, &[("x-goog-api-key", "right")]), answer(200, ""));
    assert_eq!(ask(&format!("{GEMINI}?key=right"), &[]), answer(200, ""));
    assert_eq!(ask(VERTEX, &[("x-goog-api-key", "right")]), answer(401, "UNAUTHENTICATED"));
    assert_eq!(ask(VERTEX, &[("authorization", "Bearer right")]), answer(200, ""));
    server.change(|schedule| schedule.models = vec!["other".into()]);
    assert_eq!(ask(GEMINI, &[("x-goog-api-key", "right")]), answer(404, "NOT_FOUND"));
}

#[test]
fn faults_of_the_answer() {
    let server = always(Fault::Truncated);
    let faulty = |fault| {
        server.change(|schedule| schedule.rates = Rates::always(fault));
        gemini(&server, "a", &ask_gemini(mood())).json()
    };
    let candidate = |answer: &Value| answer["candidates"][0].clone();

    let answer = faulty(Fault::Truncated);
    assert_eq!(candidate(&answer)["finishReason"], "MAX_TOKENS");
    assert!(serde_json::from_str::<Value>(text(&answer)).is_err());
    let answer = faulty(Fault::ThoughtOnly);
    assert_eq!(candidate(&answer)["finishReason"], "MAX_TOKENS");
    assert_eq!(candidate(&answer)["content"], json!({"role": "model"}), "no parts");
    assert!(answer["usageMetadata"].get("candidatesTokenCount").is_none());
    assert_eq!(answer["usageMetadata"]["thoughtsTokenCount"], 1024);
    let answer = faulty(Fault::EmptyText);
    assert_eq!(candidate(&answer)["finishReason"], "STOP");
    assert!(candidate(&answer)["content"].get("parts").is_none());
    let answer = faulty(Fault::BlockedAnswer);
    assert_eq!(candidate(&answer)["finishReason"], "SAFETY");
    assert!(candidate(&answer).get("content").is_none());
    assert_eq!(candidate(&answer)["safetyRatings"][1]["blocked"], true);
    let answer = faulty(Fault::BlockedPrompt);
    assert!(answer.get("candidates").is_none());
    assert_eq!(answer["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    let answer = faulty(Fault::Empty);
    assert!(answer.get("candidates").is_none() && answer.get("promptFeedback").is_none());
    assert!(answer["usageMetadata"]["promptTokenCount"].as_u64() > Some(0));
    let answer = faulty(Fault::ThinksAloud);
    assert_eq!(candidate(&answer)["content"]["parts"][0]["thought"], true);
    assert!(faulty(Fault::NoUsage).get("usageMetadata").is_none());
    assert_eq!(faulty(Fault::OkError)["error"]["status"], "UNAVAILABLE");
}

#[test]
fn a_malformed_call_has_no_content() {
    let server = always(Fault::MalformedCall);
    let body = ask_gemini(json!({"tools": weather()}));
    for answer in
        [gemini(&server, "a", &body).json(), gemini_stream(&server, "b", &body).pieces().pop().expect("a piece")]
    {
        let candidate = &answer["candidates"][0];
        assert_eq!(candidate["finishReason"], "MALFORMED_FUNCTION_CALL");
        assert!(candidate.get("content").is_none());
        assert!(candidate["finishMessage"].as_str().is_some_and(|message| message.contains("weather")));
    }
}

#[test]
fn refusals_have_details() {
    let server = always(Fault::RateLimited);
    let refused = |fault, wait_ms| {
        server.change(|schedule| {
            schedule.rates = Rates::always(fault);
            schedule.retry_after_ms = (wait_ms, wait_ms);
        });
        let answer = gemini(&server, "a", &ask_gemini(json!({})));
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], answer.status);
        (answer.status, error)
    };
    let (status, error) = refused(Fault::RateLimited, 3_000);
    assert_eq!((status, &error["status"]), (429, &json!("RESOURCE_EXHAUSTED")));
    assert_eq!(error["details"][0]["@type"], "type.googleapis.com/google.rpc.QuotaFailure");
    assert_eq!(error["details"][1], json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}));
    assert_eq!(refused(Fault::RateLimited, 250).1["details"][1]["retryDelay"], "0.250s");
    let (status, error) = refused(Fault::OutOfCredit, 0);
    assert_eq!(status, 429);
    let quota = error["details"][0]["violations"][0]["quotaId"].as_str().expect("a quota");
    assert!(quota.contains("PerDay"), "{quota}");
    assert_eq!(error["details"].as_array().map(Vec::len), Some(1), "nothing says when to come back");
    assert_eq!(refused(Fault::InternalError, 0).1["status"], "INTERNAL");
    assert_eq!(refused(Fault::Unavailable, 0).1["status"], "UNAVAILABLE");
}
