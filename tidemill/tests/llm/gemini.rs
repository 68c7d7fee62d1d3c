//! Gemini's protocol, as Google speaks it.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill::llm::{
    Finish, Gemini, ModelErrorKind, ModelRequest, ModelTurn, SetupError, StaticToken, TokenUsage, ToolCall, ToolChoice,
    ToolResult, Turn,
};

use crate::{
    ask, history, question,
    server::{Said, Server},
};

const KEY: &str = "AIza-secret-key";

fn gemini(server: &Server) -> Result<Gemini, SetupError> {
    Ok(Gemini::with_keys([KEY])?.endpoint(&server.url))
}

fn answer(parts: &Value, finish: &str) -> Value {
    json!({
        "candidates": [{ "content": { "role": "model", "parts": parts }, "finishReason": finish }],
        "usageMetadata": { "promptTokenCount": 90, "cachedContentTokenCount": 40, "candidatesTokenCount": 7, "thoughtsTokenCount": 30 },
        "modelVersion": "gemini-2.5-flash-001",
        "responseId": "r-1",
    })
}

fn good() -> Said {
    Said::json(200, &answer(&json!([{ "text": "{\"mood\":\"calm\"}" }]), "STOP"))
}

fn refused(status: u16, error: Value) -> Said {
    Said::json(status, &json!({ "error": error }))
}

fn exhausted(quota: &str) -> Said {
    refused(
        429,
        json!({ "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota", "details": [
            { "violations": [{ "quotaId": quota }] }, { "retryDelay": "36s" },
        ] }),
    )
}

#[test]
fn a_request_is_complete_and_an_answer_is_read_whole() -> Result<(), SetupError> {
    let server = Server::saying([good()]);
    let reply = ask(&gemini(&server)?, &question()).expect("an answer");
    assert_eq!((reply.text.as_str(), &reply.finish), ("{\"mood\":\"calm\"}", &Finish::Stop));
    let usage =
        TokenUsage { input_tokens: 90, output_tokens: 37, thinking_tokens: 30, cached_tokens: 40, estimated: false };
    assert_eq!(
        (reply.usage, reply.model_version.as_str(), reply.response_id.as_str()),
        (usage, "gemini-2.5-flash-001", "r-1")
    );

    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/v1beta/models/gemini-2.5-flash:generateContent", "the key is not in the address");
    assert_eq!((asked.headers["x-goog-api-key"].as_str(), asked.headers["x-request-id"].as_str()), (KEY, "request-1"));
    assert_eq!(asked.body["systemInstruction"], json!({ "parts": [{ "text": "Be brief." }] }));
    assert_eq!(asked.body["contents"], json!([{ "role": "user", "parts": [{ "text": "How is the mood?" }] }]));
    let schema = json!({ "type": "object", "required": ["mood"], "properties": { "mood": { "type": "string", "enum": ["calm", "happy"] } } });
    assert_eq!(
        asked.body["generationConfig"],
        json!({ "responseMimeType": "application/json", "responseSchema": schema, "temperature": 0.5, "maxOutputTokens": 100 })
    );
    Ok(())
}

#[test]
fn a_stream_gives_the_same_answer() -> Result<(), SetupError> {
    let last = answer(&json!([{ "text": "\"calm\"}" }]), "STOP").to_string();
    let thought = r#"{"candidates":[{"content":{"parts":[{"text":"let me see","thought":true}]}}]}"#;
    let first = r#"{"candidates":[{"content":{"parts":[{"text":"{\"mood\":"}]}}]}"#;
    let server = Server::saying([Said::events(&[thought, first, &last])]);
    let reply = ask(&gemini(&server)?, &ModelRequest { stream: true, ..question() }).expect("an answer");
    assert_eq!((reply.text.as_str(), reply.usage.output_tokens), ("{\"mood\":\"calm\"}", 37));
    assert_eq!(server.asked()[0].path, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    Ok(())
}

#[test]
fn a_stream_that_breaks_off_is_no_answer_and_is_paid() -> Result<(), SetupError> {
    let part =
        r#"{"candidates":[{"content":{"parts":[{"text":"{\"mood\":"}]}}],"usageMetadata":{"promptTokenCount":90}}"#;
    let error = r#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#;
    let streams =
        [Said::events(&[part]), Said::events(&[part]).cut(), Said::events(&[part, error]), Said::events(&[part, "{"])];
    for (said, unreadable) in streams.into_iter().zip([false, false, false, true]) {
        let server = Server::saying([said]);
        let error = ask(&gemini(&server)?, &ModelRequest { stream: true, ..question() }).expect_err("no answer");
        assert_eq!(matches!(error.kind, ModelErrorKind::Malformed { .. }), unreadable, "{error}");
        assert!(unreadable || matches!(error.kind, ModelErrorKind::Unavailable { .. }), "{error}");
        assert_eq!(error.usage.input_tokens, 90);
    }
    Ok(())
}

#[test]
fn an_error_in_the_place_of_an_answer_is_not_paid() -> Result<(), SetupError> {
    let server = Server::saying([refused(200, json!({ "code": 503, "status": "UNAVAILABLE" }))]);
    let error = ask(&gemini(&server)?, &question()).expect_err("no answer");
    assert!(matches!(error.kind, ModelErrorKind::Unavailable { .. }), "{error}");
    assert_eq!(error.usage, TokenUsage::default());
    Ok(())
}

#[test]
fn a_negative_usage_is_estimated() -> Result<(), SetupError> {
    let mut absurd = answer(&json!([{ "text": "{\"mood\":\"calm\"}" }]), "STOP");
    absurd["usageMetadata"]["promptTokenCount"] = json!(-5);
    let server = Server::saying([Said::json(200, &absurd)]);
    let reply = ask(&gemini(&server)?, &question()).expect("an answer");
    assert!(reply.usage.estimated && reply.usage.input_tokens > 0, "{:?}", reply.usage);
    Ok(())
}

#[test]
fn an_absurd_usage_is_no_reason_to_panic() -> Result<(), SetupError> {
    let mut absurd = answer(&json!([{ "text": "{\"mood\":\"calm\"}" }]), "STOP");
    absurd["usageMetadata"]["candidatesTokenCount"] = json!(u64::MAX);
    let server = Server::saying([Said::json(200, &absurd)]);
    let reply = ask(&gemini(&server)?, &question()).expect("an answer");
    assert_eq!(reply.usage.output_tokens, u64::MAX, "whoever asks decides what to believe");
    Ok(())
}

#[test]
fn every_reason_to_end_is_told_as_what_it_is() -> Result<(), SetupError> {
    for (reason, finish) in [
        ("MAX_TOKENS", Finish::Length),
        ("SAFETY", Finish::Blocked("SAFETY".into())),
        ("RECITATION", Finish::Blocked("RECITATION".into())),
        ("PROHIBITED_CONTENT", Finish::Blocked("PROHIBITED_CONTENT".into())),
        ("MALFORMED_FUNCTION_CALL", Finish::Other("MALFORMED_FUNCTION_CALL".into())),
        ("SOMETHING_NEW", Finish::Other("SOMETHING_NEW".into())),
    ] {
        // The content is empty or missing, as it is in reality.
        let mut body = answer(&json!([]), reason);
        body["candidates"][0]["content"] = json!({});
        let server = Server::saying([Said::json(200, &body)]);
        let reply = ask(&gemini(&server)?, &question()).expect("a reply");
        assert_eq!((reply.finish, reply.text.as_str()), (finish, ""));
    }
    Ok(())
}

#[test]
fn a_blocked_prompt_is_told_as_blocked_with_its_usage() -> Result<(), SetupError> {
    let body = json!({ "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" }, "usageMetadata": { "promptTokenCount": 90 } });
    let server = Server::saying([Said::json(200, &body)]);
    let error = ask(&gemini(&server)?, &question()).expect_err("blocked");
    assert_eq!(error.kind, ModelErrorKind::Blocked { reason: "PROHIBITED_CONTENT".into() });
    assert_eq!(error.usage.input_tokens, 90);
    Ok(())
}

/// Gemini 3 refuses a request in which the signature of a thought is missing (langgenius/dify#29187 and many others).
#[test]
fn signatures_of_thoughts_go_back_as_they_came() -> Result<(), SetupError> {
    let parts = json!([
        { "text": "a secret thought", "thought": true },
        { "functionCall": { "id": "fc-1", "name": "history", "args": { "viewer": "Ann" } }, "thoughtSignature": "c2ln" },
        { "functionCall": { "name": "history", "args": { "viewer": "Ben" } } },
    ]);
    let server = Server::saying([Said::json(200, &answer(&parts, "STOP")), good()]);
    let gemini = gemini(&server)?;
    let request = ModelRequest { tools: vec![history()], ..question() };
    let reply = ask(&gemini, &request).expect("calls");
    assert_eq!((reply.finish.clone(), reply.text.as_str()), (Finish::ToolCalls, ""));
    assert_eq!(reply.calls[0].id, "fc-1");
    assert_ne!(reply.calls[1].id, "fc-1");

    let model = ModelTurn { text: reply.text, calls: reply.calls.clone(), opaque: reply.opaque };
    let results = reply.calls.iter().map(|call| {
        let result = ToolResult { call: call.id.clone(), name: call.name.clone(), content: json!(3), error: false };
        Turn::ToolResult(result)
    });
    let mut again = request.clone();
    again.turns.push(Turn::Model(model));
    again.turns.extend(results);
    ask(&gemini, &again).expect("an answer");
    let contents = &server.bodies()[1]["contents"];
    assert_eq!(contents[1], json!({ "role": "model", "parts": [parts[1], parts[2]] }), "without the thought itself");
    // Gemini counts: as many results as calls, in one turn.
    let response = |id: Option<&str>| {
        let mut response = json!({ "name": "history", "response": { "result": 3 } });
        if let Some(id) = id {
            response["id"] = json!(id);
        }
        json!({ "functionResponse": response })
    };
    assert_eq!(contents[2], json!({ "role": "user", "parts": [response(Some("fc-1")), response(None)] }));
    Ok(())
}

/// A signature of another model is refused, and a missing one too. Google names a word for calls without one
/// (jeremychone/rust-genai#115).
#[test]
fn calls_of_another_provider_are_sent_without_its_signature() -> Result<(), SetupError> {
    let server = Server::saying([good()]);
    let opaque = Some(tidemill::llm::Opaque { provider: "openai".into(), parts: json!([{ "text": "foreign" }]) });
    let arguments = json!({ "viewer": "Ann" });
    let call = ToolCall { id: "call-1".into(), name: "history".into(), arguments: arguments.clone(), broken: false };
    let mut request = ModelRequest { tools: vec![history()], ..question() };
    request.turns.push(Turn::Model(ModelTurn { text: String::new(), calls: vec![call], opaque }));
    ask(&gemini(&server)?, &request).expect("an answer");
    let part = json!({ "functionCall": { "name": "history", "args": arguments }, "thoughtSignature": "skip_thought_signature_validator" });
    assert_eq!(server.bodies()[0]["contents"][1]["parts"], json!([part]));
    Ok(())
}

/// Models before Gemini 3 refuse tools together with a schema (googleapis/python-genai#867).
#[test]
fn with_tools_the_schema_is_part_of_the_instruction() -> Result<(), SetupError> {
    let server = Server::saying([good()]);
    let request = ModelRequest { tools: vec![history()], tool_choice: ToolChoice::None, ..question() };
    ask(&gemini(&server)?, &request).expect("an answer");
    ask(&gemini(&server)?.schema_with_tools(), &request).expect("an answer");
    let [without, with] = &server.bodies()[..] else { panic!("two requests") };
    assert!(without["generationConfig"].get("responseMimeType").is_none());
    assert!(without["systemInstruction"]["parts"][0]["text"].as_str().is_some_and(|text| text.contains("JSON schema")));
    assert_eq!(with["generationConfig"]["responseMimeType"], "application/json");
    assert_eq!(without["toolConfig"]["functionCallingConfig"]["mode"], "NONE");
    Ok(())
}

#[test]
fn the_next_key_is_used_when_one_is_refused_or_exhausted() -> Result<(), SetupError> {
    let day = exhausted("GenerateRequestsPerDayPerProjectPerModel-FreeTier");
    let invalid = refused(400, json!({ "status": "INVALID_ARGUMENT", "details": [{ "reason": "API_KEY_INVALID" }] }));
    let server = Server::saying([day, invalid, good()]);
    let gemini = Gemini::with_keys(["one", "two", "three"])?.endpoint(&server.url);
    ask(&gemini, &question()).expect("the third key is good");
    ask(&gemini, &question()).expect("the third key stays in use");
    let keys: Vec<_> = server.asked().iter().map(|asked| asked.headers["x-goog-api-key"].clone()).collect();
    assert_eq!(keys, ["one", "two", "three", "three"]);
    Ok(())
}

#[test]
fn a_single_exhausted_key_hands_on_the_pause_that_the_service_asks_for() -> Result<(), SetupError> {
    let spent = || exhausted("GenerateRequestsPerMinutePerProjectPerModel-FreeTier");
    let server = Server::saying([spent(), spent(), spent()]);
    let gemini = gemini(&server)?;
    for _ in 0..3 {
        let error = ask(&gemini, &question()).expect_err("exhausted");
        let ModelErrorKind::RateLimited { retry_after: Some(pause), daily: false, .. } = error.kind else {
            panic!("{error}")
        };
        assert!((30..=36).contains(&pause.as_secs()), "{pause:?}");
    }
    assert_eq!(server.asked().len(), 3);
    Ok(())
}

/// Keys in addresses come out in errors and logs (BerriAI/litellm#24902), and error texts quote the request.
#[test]
fn no_error_shows_a_key_or_a_text() -> Result<(), SetupError> {
    let message = "User Ann said: How is the mood? key AIza-secret-key";
    let statuses = [400, 401, 403, 404, 413, 429, 500, 503];
    for status in statuses {
        let server = Server::saying([refused(status, json!({ "code": status, "status": "BAD", "message": message }))]);
        let error = ask(&gemini(&server)?, &question()).expect_err("refused");
        for text in [error.to_string(), format!("{error:?}"), format!("{:?}", error.to_call_error())] {
            assert!(!text.contains("mood") && !text.contains("AIza") && !text.contains("Ann"), "{text}");
        }
    }
    let gone = Gemini::with_keys([KEY])?.endpoint("http://127.0.0.1:1");
    let error = ask(&gone, &question()).expect_err("nobody is there");
    assert_eq!(error.to_string(), "the model's service is unavailable (no connection)");
    assert!(!format!("{gone:?}").contains(KEY));
    Ok(())
}

#[test]
fn redirects_are_not_followed_because_they_would_carry_the_key() -> Result<(), SetupError> {
    let other = Server::saying([good()]);
    let server = Server::saying([Said::text(307, "text/html", "").header("location", &other.url)]);
    let error = ask(&gemini(&server)?, &question()).expect_err("a redirect");
    assert!(matches!(error.kind, ModelErrorKind::Refused { .. }));
    assert!(other.asked().is_empty());
    Ok(())
}

#[test]
fn a_request_without_an_answer_ends_in_time_and_is_counted() -> Result<(), SetupError> {
    let server = Server::saying([good().after(Duration::from_secs(5))]);
    let error = ask(&gemini(&server)?, &ModelRequest { timeout: Duration::from_millis(100), ..question() });
    let error = error.expect_err("no time");
    assert_eq!(error.kind, ModelErrorKind::Timeout);
    assert!(error.usage.estimated && error.usage.input_tokens > 0);
    Ok(())
}

#[test]
fn vertex_gets_a_token_and_a_new_one_after_it_was_refused() -> Result<(), Box<dyn std::error::Error>> {
    let unauthorized = || refused(401, json!({ "code": 401, "status": "UNAUTHENTICATED" }));
    let server = Server::saying([unauthorized(), good()]);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("token");
    std::fs::write(&path, "fresh")?;
    let vertex = Gemini::vertex("shop", "europe-west4", tidemill::llm::FileToken::new(&path))?.endpoint(&server.url);
    // The file still has the token that was refused: asking again would be useless.
    let error = ask(&vertex, &question()).expect_err("refused");
    assert!(matches!(error.kind, ModelErrorKind::Unauthorized { .. }));
    ask(&vertex, &question()).expect("an answer");
    let asked = &server.asked()[1];
    assert_eq!(
        asked.path,
        "/v1/projects/shop/locations/europe-west4/publishers/google/models/gemini-2.5-flash:generateContent"
    );
    assert_eq!(asked.headers["authorization"], "Bearer fresh");

    let counter = tempfile::tempdir()?;
    let script = format!("echo x >> {0}; echo token-$(wc -l < {0})", counter.path().join("n").display());
    let server = Server::saying([good(), unauthorized(), good()]);
    let command = tidemill::llm::CommandToken::new("sh", ["-c", &script]);
    let vertex = Gemini::vertex("shop", "global", command)?.endpoint(&server.url);
    ask(&vertex, &question()).expect("an answer");
    ask(&vertex, &question()).expect("an answer with a new token");
    let tokens: Vec<_> = server.asked().iter().map(|asked| asked.headers["authorization"].clone()).collect();
    assert_eq!(tokens, ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
    Ok(())
}

#[test]
fn a_static_token_and_a_model_with_a_wrong_name_are_told() -> Result<(), SetupError> {
    let server = Server::saying([good()]);
    let vertex = Gemini::vertex("shop", "global", StaticToken::new("t"))?.endpoint(&server.url);
    let request = ModelRequest { model: "../../other:generateContent?x=".into(), ..question() };
    assert!(matches!(ask(&vertex, &request).expect_err("no name").kind, ModelErrorKind::Refused { .. }));
    assert!(server.asked().is_empty());
    Ok(())
}
