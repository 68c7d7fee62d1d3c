//! Chat completions, as OpenAI and the many servers like it speak them.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill::llm::{
    Finish, ModelErrorKind, ModelRequest, ModelTurn, OpenAi, SetupError, StructuredOutput, TokenUsage, ToolResult, Turn,
};

use crate::{
    ask, history, question,
    server::{Said, Server},
};

fn openai(server: &Server) -> Result<OpenAi, SetupError> {
    OpenAi::new(&format!("{}/v1/", server.url))
}

fn answer(message: &Value, finish: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "model": "gpt-5-mini-2026", "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": { "prompt_tokens": 80, "completion_tokens": 20,
            "prompt_tokens_details": { "cached_tokens": 64 }, "completion_tokens_details": { "reasoning_tokens": 12 } },
    })
}

fn good() -> Said {
    Said::json(200, &answer(&json!({ "role": "assistant", "content": "{\"mood\":\"calm\"}" }), "stop"))
}

#[test]
fn a_request_is_complete_and_an_answer_is_read_whole() -> Result<(), SetupError> {
    let server = Server::saying([good()]);
    let reply = ask(&openai(&server)?.keys(["sk-1"]), &question()).expect("an answer");
    let usage =
        TokenUsage { input_tokens: 80, output_tokens: 20, thinking_tokens: 12, cached_tokens: 64, estimated: false };
    assert_eq!((reply.text.as_str(), reply.finish, reply.usage), ("{\"mood\":\"calm\"}", Finish::Stop, usage));
    let asked = &server.asked()[0];
    assert_eq!((asked.path.as_str(), asked.headers["authorization"].as_str()), ("/v1/chat/completions", "Bearer sk-1"));
    assert_eq!(
        asked.body["messages"],
        json!([
            { "role": "system", "content": "Be brief." }, { "role": "user", "content": "How is the mood?" },
        ])
    );
    let format = json!({ "name": "answer", "schema": question().schema, "strict": false });
    assert_eq!(asked.body["response_format"], json!({ "type": "json_schema", "json_schema": format }));
    assert_eq!((&asked.body["max_tokens"], &asked.body["temperature"]), (&json!(100), &json!(0.5)));
    Ok(())
}

#[test]
fn a_server_that_takes_no_schema_reads_it_in_the_instruction() -> Result<(), SetupError> {
    let server = Server::saying([good()]);
    for structured in [StructuredOutput::JsonObject, StructuredOutput::None] {
        ask(&openai(&server)?.structured_output(structured).max_completion_tokens(), &question()).expect("an answer");
    }
    let [object, none] = &server.bodies()[..] else { panic!("two requests") };
    assert_eq!(object["response_format"], json!({ "type": "json_object" }));
    assert!(none.get("response_format").is_none() && none.get("max_tokens").is_none());
    assert_eq!(none["max_completion_tokens"], 100);
    for body in [object, none] {
        assert!(
            body["messages"][0]["content"].as_str().is_some_and(|text| text.contains("\"additionalProperties\":false"))
        );
    }
    Ok(())
}

/// The event with the usage has no choices, and readers fall over it (deepset-ai/haystack#8507).
#[test]
fn a_stream_ends_with_its_usage() -> Result<(), SetupError> {
    let server = Server::saying([Said::events(&[
        r#"{"id":"c","model":"m","choices":[{"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"delta":{"content":"{\"mood\":"}}],"usage":null}"#,
        r#"{"choices":[{"delta":{"content":"\"calm\"}"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":80,"completion_tokens":20}}"#,
        "[DONE]",
    ])]);
    let reply = ask(&openai(&server)?, &ModelRequest { stream: true, ..question() }).expect("an answer");
    assert_eq!(
        (reply.text.as_str(), reply.finish, reply.usage.input_tokens),
        ("{\"mood\":\"calm\"}", Finish::Stop, 80)
    );
    assert_eq!(server.bodies()[0]["stream_options"], json!({ "include_usage": true }));
    Ok(())
}

#[test]
fn a_stream_without_its_end_is_an_answer_only_if_the_model_had_ended() -> Result<(), SetupError> {
    let part = r#"{"choices":[{"delta":{"content":"{\"mood\":\"calm\"}"}}]}"#;
    let end = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let error = r#"{"error":{"message":"How is the mood?","code":502}}"#;
    let request = ModelRequest { stream: true, ..question() };
    let reply = ask(&openai(&Server::saying([Said::events(&[part, end])]))?, &request).expect("an answer");
    assert!(reply.usage.estimated && reply.usage.output_tokens > 0);
    for said in [Said::events(&[part]), Said::events(&[part]).cut(), Said::events(&[part, error])] {
        let error = ask(&openai(&Server::saying([said]))?, &request).expect_err("no answer");
        assert!(matches!(error.kind, ModelErrorKind::Unavailable { .. }), "{error}");
        assert!(error.usage.estimated && error.usage.output_tokens > 0, "what came is paid");
        assert!(!error.to_string().contains("mood"));
    }
    Ok(())
}

/// Servers leave the numbers of calls out, or give all calls the number 0 (ollama/ollama#7881).
#[test]
fn parts_of_tool_calls_find_together_with_and_without_numbers() -> Result<(), SetupError> {
    let event = |calls: Value| json!({ "choices": [{ "delta": { "tool_calls": calls } }] }).to_string();
    let call = |index: Option<u64>, id: &str, name: &str, arguments: &str| {
        let mut call = json!({ "function": { "arguments": arguments } });
        if let Some(index) = index {
            call["index"] = json!(index);
        }
        if !name.is_empty() {
            (call["id"], call["function"]["name"]) = (json!(id), json!(name));
        }
        call
    };
    let end = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned();
    let numbered = [
        event(json!([call(Some(0), "a", "history", "{\"vie")])),
        event(json!([call(Some(1), "b", "history", "")])),
        event(json!([call(Some(0), "", "", "wer\":\"Ann\"}"), call(Some(1), "", "", "{\"viewer\":\"Ben\"}")])),
    ];
    let all_zero = [
        event(json!([call(Some(0), "a", "history", "{\"viewer\":\"Ann\"}")])),
        event(json!([call(Some(0), "b", "history", "{\"viewer\":")])),
        event(json!([call(Some(0), "", "", "\"Ben\"}")])),
    ];
    let unnumbered = [
        event(json!([call(None, "a", "history", "{\"viewer\":\"Ann\"}"), call(None, "b", "history", "{\"viewer\":")])),
        event(json!([call(None, "", "", "\"Ben\"}")])),
        event(json!([])),
    ];
    for events in [numbered, all_zero, unnumbered] {
        let events: Vec<_> = events.iter().chain([&end]).map(String::as_str).chain(["[DONE]"]).collect();
        let server = Server::saying([Said::events(&events)]);
        let request = ModelRequest { stream: true, tools: vec![history()], ..question() };
        let reply = ask(&openai(&server)?, &request).expect("calls");
        let calls: Vec<_> = reply.calls.iter().map(|call| (call.id.as_str(), &call.arguments)).collect();
        assert_eq!(calls, [("a", &json!({ "viewer": "Ann" })), ("b", &json!({ "viewer": "Ben" }))], "{events:?}");
    }
    Ok(())
}

/// Servers send `null` as an id and fail when it comes back (sigoden/aichat#1296), and say `stop` although they ask.
#[test]
fn tool_calls_are_read_from_whatever_servers_send() -> Result<(), SetupError> {
    let function = |arguments: Value| json!({ "name": "history", "arguments": arguments });
    let message = json!({ "content": null, "reasoning_content": "hm", "tool_calls": [
        { "id": null, "function": function(json!("{\"viewer\":\"Ann\"}")), "extra_content": { "google": { "thought_signature": "c2ln" } } },
        { "id": "x", "function": function(json!("{\"viewer\":")) },
        { "id": "x", "function": function(json!({ "viewer": "Cy" })) },
        { "function": { "name": "history" } },
    ] });
    let server = Server::saying([Said::json(200, &answer(&message, "stop")), good()]);
    let openai = openai(&server)?.reasoning_back();
    let request = ModelRequest { tools: vec![history()], ..question() };
    let reply = ask(&openai, &request).expect("calls");
    assert_eq!(reply.finish, Finish::ToolCalls);
    assert_eq!(reply.calls.iter().map(|call| call.broken).collect::<Vec<_>>(), [false, true, false, false]);
    let ids: std::collections::BTreeSet<_> = reply.calls.iter().map(|call| call.id.clone()).collect();
    assert!(ids.len() == 4 && !ids.contains(""), "{ids:?}");

    let mut again = request.clone();
    let (calls, opaque) = (reply.calls.clone(), reply.opaque);
    again.turns.push(Turn::Model(ModelTurn { text: String::new(), calls, opaque }));
    let failed = |call: &tidemill::llm::ToolCall| ToolResult {
        call: call.id.clone(),
        name: call.name.clone(),
        content: json!("no"),
        error: true,
    };
    again.turns.extend(reply.calls.iter().map(|call| Turn::ToolResult(failed(call))));
    ask(&openai, &again).expect("an answer");
    let messages = &server.bodies()[1]["messages"];
    assert_eq!(messages[2]["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "c2ln");
    assert_eq!(messages[2]["reasoning_content"], "hm");
    let sent: Vec<_> = (0..4).map(|at| messages[2]["tool_calls"][at]["function"]["arguments"].clone()).collect();
    assert_eq!(sent, ["{\"viewer\":\"Ann\"}", "{}", "{\"viewer\":\"Cy\"}", "{}"], "arguments are JSON, whatever came");
    assert_eq!(
        messages[3],
        json!({ "role": "tool", "tool_call_id": reply.calls[0].id, "content": "{\"error\":\"no\"}" })
    );
    Ok(())
}

#[test]
fn an_error_with_status_200_is_an_error() -> Result<(), SetupError> {
    for (error, passes) in [
        (json!({ "message": "upstream", "code": 502 }), true),
        (json!({ "message": "slow down", "code": "rate_limit_exceeded" }), true),
        (json!({ "message": "bad", "code": 400 }), false),
        (json!("something went wrong"), true),
    ] {
        let server = Server::saying([Said::json(200, &json!({ "error": error }))]);
        let error = ask(&openai(&server)?, &question()).expect_err("an error");
        assert_eq!(error.to_call_error().retry != tidemill::Retry::Never, passes, "{error}");
    }
    Ok(())
}

#[test]
fn each_error_says_what_to_do() -> Result<(), SetupError> {
    let said = |status: u16, error: Value| Said::json(status, &json!({ "error": error }));
    let kind = |said: Said| -> Result<ModelErrorKind, SetupError> {
        Ok(ask(&openai(&Server::saying([said]))?, &question()).expect_err("an error").kind)
    };
    let limited = kind(said(429, json!({ "code": "rate_limit_exceeded" })).header("retry-after-ms", "1500"))?;
    let pause = Some(Duration::from_millis(1_500));
    assert!(matches!(limited, ModelErrorKind::RateLimited { retry_after, daily: false, .. } if retry_after == pause));
    let no_credit = kind(said(429, json!({ "type": "insufficient_quota", "code": "insufficient_quota" })))?;
    assert!(matches!(no_credit, ModelErrorKind::RateLimited { daily: true, .. }));
    let page = kind(Said::text(502, "text/html", "<html>bad gateway</html>"))?;
    assert_eq!(page, ModelErrorKind::Unavailable { retry_after: None, code: "HTTP 502".into() });
    assert!(matches!(kind(said(400, json!({ "code": "context_length_exceeded" })))?, ModelErrorKind::TooLarge { .. }));
    assert!(matches!(kind(said(400, json!({ "code": "content_filter" })))?, ModelErrorKind::Blocked { .. }));
    assert!(matches!(kind(said(401, json!({ "code": "invalid_api_key" })))?, ModelErrorKind::Unauthorized { .. }));
    assert!(matches!(kind(said(422, json!("no")))?, ModelErrorKind::Refused { .. }));
    assert!(matches!(kind(Said::json(200, &json!({ "choices": [] })))?, ModelErrorKind::Malformed { .. }));
    assert!(matches!(kind(Said::text(200, "application/json", "{"))?, ModelErrorKind::Malformed { .. }));
    Ok(())
}

#[test]
fn a_missing_usage_is_estimated_and_a_refusal_is_blocked() -> Result<(), SetupError> {
    let mut body = answer(&json!({ "content": "12345678", "refusal": "I will not" }), "stop");
    body["usage"] = Value::Null;
    let reply = ask(&openai(&Server::saying([Said::json(200, &body)]))?, &question()).expect("a reply");
    assert_eq!((reply.usage.estimated, reply.usage.output_tokens), (true, 2));
    assert_eq!(reply.finish, Finish::Blocked("refusal".into()));
    Ok(())
}

#[test]
fn a_server_that_ignores_the_wish_for_a_stream_is_understood() -> Result<(), SetupError> {
    let reply = ask(&openai(&Server::saying([good()]))?, &ModelRequest { stream: true, ..question() });
    assert_eq!(reply.expect("an answer").text, "{\"mood\":\"calm\"}");
    Ok(())
}
