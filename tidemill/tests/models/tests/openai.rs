//! The protocol of `OpenAI`'s chat completions.

mod http;

use http::{CHAT, ask_chat, chat, request};
use serde_json::{Value, json};
use tidemill_model_server::{Fault, ModelServer, Outcome, Rates, Schedule, tokens};

fn mood() -> Value {
    json!({"type": "object", "additionalProperties": false, "required": ["mood", "score"], "properties": {
        "mood": {"type": "string", "enum": ["calm", "tense"]}, "score": {"type": "integer", "minimum": 1, "maximum": 3}}})
}

fn mood_format() -> Value {
    json!({"response_format": {"type": "json_schema",
        "json_schema": {"name": "mood", "strict": true, "schema": mood()}}})
}

fn weather() -> Value {
    json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object",
        "required": ["days"], "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 7}}}}}])
}

fn always(fault: Fault) -> ModelServer {
    ModelServer::start(Schedule { rates: Rates::always(fault), ..Schedule::default() })
}

fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().expect("a text")
}

#[test]
fn an_answer_is_complete_and_billed_as_it_says() {
    let server = ModelServer::start(Schedule::default());
    let answer = chat(&server, "a", &ask_chat(json!({})));
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let prompt = tokens("Be brief.How is the mood?");
    let output = tokens(content(&body));
    assert_eq!(
        body["usage"],
        json!({"prompt_tokens": prompt, "completion_tokens": output,
        "total_tokens": prompt + output})
    );
    let bill = server.bill();
    assert_eq!((bill.billed_calls, bill.input_tokens, bill.output_tokens), (1, prompt, output));
    assert_eq!(bill.by_id["a"], 1);
    let call = &server.calls()[0];
    assert_eq!((call.outcome, call.status, call.key.as_str()), (Outcome::Answered, 200, "1234"));
    assert_eq!(chat(&server, "b", &ask_chat(json!({}))).json()["choices"], body["choices"], "the same question");
}

#[test]
fn an_answer_fits_the_schema() {
    let server = ModelServer::start(Schedule::default());
    let answer = chat(&server, "a", &ask_chat(mood_format())).json();
    let value: Value = serde_json::from_str(content(&answer)).expect("JSON");
    assert!(["calm", "tense"].contains(&value["mood"].as_str().expect("a mood")));
    assert!((1..=3).contains(&value["score"].as_i64().expect("a score")));
}

#[test]
fn a_stream_says_the_same_as_the_whole_answer() {
    let server = ModelServer::start(Schedule::default());
    let whole = chat(&server, "a", &ask_chat(json!({}))).json();
    let more = json!({"stream": true, "stream_options": {"include_usage": true}});
    let stream = chat(&server, "b", &ask_chat(more));
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.events().last().map(String::as_str), Some("[DONE]"));
    let pieces = stream.pieces();
    let text: String = pieces.iter().filter_map(|piece| piece["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, content(&whole));
    let reasons: Vec<&Value> = pieces.iter().map(|piece| &piece["choices"][0]["finish_reason"]).collect();
    assert!(reasons[..reasons.len() - 2].iter().all(|reason| reason.is_null()));
    assert_eq!(reasons[reasons.len() - 2], "stop");
    let last = pieces.last().expect("pieces");
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
    let plain = chat(&server, "c", &ask_chat(json!({"stream": true})));
    assert!(plain.pieces().iter().all(|piece| piece.get("usage").is_none()), "nobody asked for it");
}

#[test]
fn tools_are_asked_for_once_in_a_conversation() {
    let server = ModelServer::start(Schedule { tool_calls: 1.0, ..Schedule::default() });
    let first = chat(&server, "a", &ask_chat(json!({"tools": weather()}))).json();
    assert_eq!(first["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(server.calls()[0].outcome, Outcome::AskedForTools);
    let message = &first["choices"][0]["message"];
    let call = &message["tool_calls"][0];
    assert_eq!(call["function"]["name"], "weather");
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().expect("a text")).expect("JSON");
    assert!((1..=7).contains(&arguments["days"].as_i64().expect("days")));
    let second = chat(
        &server,
        "a",
        &json!({"model": "small", "tools": weather(), "messages": [
        {"role": "user", "content": "How is the mood?"}, message,
        {"role": "tool", "tool_call_id": call["id"], "content": "{\"sun\": true}"}]}),
    );
    assert_eq!(second.json()["choices"][0]["finish_reason"], "stop");

    let stream = chat(&server, "b", &ask_chat(json!({"tools": weather(), "stream": true}))).pieces();
    let deltas = stream.iter().filter_map(|piece| piece["choices"][0]["delta"]["tool_calls"].get(0));
    let text: String = deltas.filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), arguments);
}

#[test]
fn requests_that_the_api_would_refuse_are_refused() {
    let server = ModelServer::start(Schedule::default());
    let bad = [
        json!({"messages": [{"role": "user", "content": "a"}]}),
        json!({"model": "small", "messages": []}),
        json!({"model": "small", "messages": [{"role": "owner", "content": "a"}]}),
        json!({"model": "small", "messages": [{"role": "tool", "tool_call_id": "x", "content": "a"}]}),
        ask_chat(json!({"max_tokens": 0})),
        ask_chat(json!({"response_format": {"type": "json_schema", "json_schema": {"schema": mood()}}})),
        ask_chat(json!({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": true,
            "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}})),
    ];
    for body in bad {
        let answer = chat(&server, "a", &body);
        assert_eq!((answer.status, &answer.json()["error"]["type"]), (400, &json!("invalid_request_error")), "{body}");
    }
    assert_eq!(server.bill().billed_calls, 0);
}

#[test]
fn keys_and_models_are_checked_if_the_schedule_names_some() {
    let schedule = Schedule { keys: vec!["right".into()], models: vec!["small".into()], ..Schedule::default() };
    let server = ModelServer::start(schedule);
    let body = ask_chat(json!({})).to_string();
    let with = |key: &str| request(&server, "POST", CHAT, &[("authorization", key)], &body);
    assert_eq!(request(&server, "POST", CHAT, &[], &body).status, 401);
    assert_eq!(with("Bearer wrong").json()["error"]["code"], "invalid_api_key");
    assert_eq!(with("Bearer right").status, 200);
    let large = ask_chat(json!({"model": "large"})).to_string();
    let answer = request(&server, "POST", CHAT, &[("authorization", "Bearer right")], &large);
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(request(&server, "GET", "/v1/models", &[], "").json()["data"][0]["id"], "small");
    assert_eq!(request(&server, "POST", "/v1/nothing", &[], &body).status, 404);
}

#[test]
fn the_most_tokens_cut_an_answer() {
    let server = ModelServer::start(Schedule::default());
    let answer = chat(&server, "a", &ask_chat(json!({"max_tokens": 2}))).json();
    assert_eq!(
        (&answer["choices"][0]["finish_reason"], &answer["usage"]["completion_tokens"]),
        (&json!("length"), &json!(2))
    );
    assert_eq!(content(&answer).chars().count(), 8);
    server.change(|schedule| schedule.thinking_tokens = 5);
    let answer = chat(&server, "b", &ask_chat(json!({}))).json();
    let usage = &answer["usage"];
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 5);
    assert_eq!(usage["completion_tokens"], tokens(content(&answer)) + 5);
}

#[test]
fn faults_of_the_answer() {
    let server = always(Fault::Truncated);
    let asked = ask_chat(mood_format());
    let faulty = |fault| {
        server.change(|schedule| schedule.rates = Rates::always(fault));
        chat(&server, "a", &asked).json()
    };
    let parses = |answer: &Value| serde_json::from_str::<Value>(content(answer));

    let answer = faulty(Fault::Truncated);
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert!(parses(&answer).is_err());
    let answer = faulty(Fault::Malformed);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert!(parses(&answer).is_err());
    let answer = parses(&faulty(Fault::WrongSchema)).expect("JSON");
    assert!(answer.get("mood").is_none() && answer.get("score").is_none());
    let answer = faulty(Fault::Fenced);
    assert!(content(&answer).contains("```json\n{"), "{answer}");
    let answer = faulty(Fault::ThinksAloud);
    assert!(content(&answer).starts_with("<think>"), "{answer}");
    assert!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64() > Some(0));
    let answer = faulty(Fault::ThoughtOnly);
    assert_eq!((content(&answer), &answer["choices"][0]["finish_reason"]), ("", &json!("length")));
    assert_eq!(answer["usage"]["completion_tokens"], 1024);
    let answer = faulty(Fault::Repeats);
    assert_eq!(
        (&answer["choices"][0]["finish_reason"], &answer["usage"]["completion_tokens"]),
        (&json!("length"), &json!(4_096))
    );
    assert!(content(&answer).contains("and so on, and so on,"));
    let answer = faulty(Fault::BlockedAnswer);
    assert_eq!((content(&answer), &answer["choices"][0]["finish_reason"]), ("", &json!("content_filter")));
    let answer = faulty(Fault::EmptyText);
    assert_eq!((content(&answer), &answer["choices"][0]["finish_reason"]), ("", &json!("stop")));
    assert_eq!(faulty(Fault::Empty)["choices"], json!([]));
    assert!(faulty(Fault::NoUsage).get("usage").is_none());
    let before = server.bill();
    assert_eq!(faulty(Fault::OkError)["error"]["code"], 502);
    assert_eq!(faulty(Fault::BlockedPrompt)["error"]["code"], "content_filter");
    assert_eq!(server.bill().output_tokens, before.output_tokens);
    assert_eq!(before.billed_calls, before.calls, "each answer until then was billed, whatever was wrong with it");
}

#[test]
fn faults_of_tool_calls() {
    let server = always(Fault::MalformedCall);
    let body = ask_chat(json!({"tools": weather()}));
    let call = |answer: &Value| answer["choices"][0]["message"]["tool_calls"][0]["function"].clone();
    let malformed = call(&chat(&server, "a", &body).json());
    assert!(serde_json::from_str::<Value>(malformed["arguments"].as_str().expect("a text")).is_err());
    server.change(|schedule| schedule.rates = Rates::always(Fault::UnknownTool));
    assert_eq!(call(&chat(&server, "a", &body).json())["name"], "weather_all");
    server.change(|schedule| schedule.rates = Rates::always(Fault::StopDespiteCall));
    let answer = chat(&server, "a", &body).json();
    assert_eq!(
        (&answer["choices"][0]["finish_reason"], call(&answer)["name"].as_str()),
        (&json!("stop"), Some("weather"))
    );
    assert_eq!(chat(&server, "b", &ask_chat(json!({}))).json()["choices"][0]["finish_reason"], "stop");
    assert_eq!(server.calls().pop().map(|call| call.outcome), Some(Outcome::Answered), "no tools, no fault of them");
}

#[test]
fn refusals_tell_when_to_come_back() {
    use tidemill_model_server::Hint;
    let server = always(Fault::RateLimited);
    server.change(|schedule| schedule.retry_after_ms = (250, 250));
    let refused = |hint| {
        server.change(|schedule| schedule.retry_hints = vec![hint]);
        let answer = chat(&server, "a", &ask_chat(json!({})));
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (429, &json!("rate_limit_exceeded")));
        answer
    };
    assert_eq!(refused(Hint::Seconds).header("retry-after"), Some("1"));
    let milliseconds = refused(Hint::Milliseconds);
    assert_eq!((milliseconds.header("retry-after-ms"), milliseconds.header("retry-after")), (Some("250"), Some("1")));
    assert!(refused(Hint::Date).header("retry-after").is_some_and(|date| date.ends_with(" GMT")));
    assert_eq!(refused(Hint::None).header("retry-after"), None);
    assert_eq!(server.bill().billed_calls, 0);
}

#[test]
fn other_errors() {
    let server = always(Fault::OutOfCredit);
    let refused = |fault| {
        server.change(|schedule| schedule.rates = Rates::always(fault));
        chat(&server, "a", &ask_chat(json!({})))
    };
    let answer = refused(Fault::OutOfCredit);
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (429, &json!("insufficient_quota")));
    assert_eq!(refused(Fault::InternalError).status, 500);
    assert_eq!(refused(Fault::Unavailable).status, 503);
    let page = refused(Fault::GatewayPage);
    assert_eq!(page.status, 502);
    assert!(page.body.starts_with("<html>"));
    assert_eq!(server.bill().billed_calls, 0);
}
