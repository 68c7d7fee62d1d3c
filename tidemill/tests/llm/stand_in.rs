//! The stand-in for model providers checks requests strictly, and keeps the bill. What it bills must be what we count.

use serde_json::json;
use tidemill::llm::{
    Finish, Gemini, ModelErrorKind, ModelRequest, OpenAi, OutputCheck, Provider, StaticToken, StructuredOutput,
    TokenUsage,
};
use tidemill_model_server::{Fault, ModelServer, Rates, Schedule};

use crate::{ask, history, question};

fn providers(models: &ModelServer) -> Vec<Box<dyn Provider>> {
    let openai = || OpenAi::new(&format!("{}/v1", models.url())).expect("a client").keys(["sk-1"]);
    vec![
        Box::new(Gemini::with_keys(["key"]).expect("a client").endpoint(&models.url())),
        Box::new(
            Gemini::with_keys(["key"]).expect("a client").endpoint(&models.url()).json_schema().thinking_budget(9),
        ),
        Box::new(Gemini::vertex("p", "l", StaticToken::new("t")).expect("a client").endpoint(&models.url())),
        Box::new(openai()),
        Box::new(openai().structured_output(StructuredOutput::StrictJsonSchema).max_completion_tokens()),
        Box::new(openai().structured_output(StructuredOutput::JsonObject)),
    ]
}

#[test]
fn every_form_of_a_request_is_accepted_and_its_answer_fits() {
    let models = ModelServer::start(Schedule { thinking_tokens: 5, ..Schedule::default() });
    let check = OutputCheck::new(&question().schema.expect("a schema")).expect("a schema");
    for (at, provider) in providers(&models).iter().enumerate() {
        for stream in [false, true] {
            let request = ModelRequest { stream, id: format!("{at}-{stream}"), ..question() };
            let reply = ask(&**provider, &request).unwrap_or_else(|error| panic!("{provider:?} {stream}: {error}"));
            assert_eq!((&reply.finish, reply.usage.thinking_tokens), (&Finish::Stop, 5));
            assert!(!reply.usage.estimated && !reply.model_version.is_empty() && !reply.response_id.is_empty());
            // A server that is not told the schema in a form of its own makes up any JSON.
            if at != 5 {
                check.check(&reply.text).unwrap_or_else(|flaws| panic!("{provider:?}: {flaws}: {}", reply.text));
            }
        }
    }
}

#[test]
fn tools_are_asked_for_by_every_provider() {
    let models = ModelServer::start(Schedule { tool_calls: 1.0, ..Schedule::default() });
    for (at, provider) in providers(&models).iter().enumerate() {
        for stream in [false, true] {
            let request = ModelRequest { stream, id: format!("{at}-{stream}"), tools: vec![history()], ..question() };
            let reply = ask(&**provider, &request).unwrap_or_else(|error| panic!("{provider:?} {stream}: {error}"));
            assert_eq!(reply.finish, Finish::ToolCalls, "{provider:?}");
            assert!(reply.calls[0].name == "history" && reply.calls[0].arguments["viewer"].is_string());
        }
    }
}

/// What was consumed, over many requests with this fault.
fn consumed(models: &ModelServer, stream: bool) -> (TokenUsage, Vec<String>) {
    let (mut sum, mut ends) = (TokenUsage::default(), Vec::new());
    for (at, provider) in providers(models).iter().enumerate() {
        let request = ModelRequest { stream, id: format!("{at}-{stream}"), ..question() };
        match ask(&**provider, &request) {
            Ok(reply) => {
                sum += reply.usage;
                ends.push(reply.finish.label());
            }
            Err(error) => {
                sum += error.usage;
                ends.push(error.to_string());
            }
        }
    }
    (sum, ends)
}

#[test]
fn what_is_billed_is_what_is_counted_whatever_goes_wrong() {
    for &fault in Fault::ALL {
        if matches!(fault, Fault::Hang | Fault::SlowStream) {
            continue;
        }
        for stream in [false, true] {
            let models = ModelServer::start(Schedule { rates: Rates::always(fault), ..Schedule::default() });
            let (sum, ends) = consumed(&models, stream);
            let bill = models.bill().all;
            let (counted, billed) = ((sum.input_tokens, sum.output_tokens), (bill.input_tokens, bill.output_tokens));
            if sum.estimated {
                // An estimate is no worse than a half, as far as the input goes. The output that never came is unknown.
                assert!(
                    billed.0 == 0 || counted.0 * 2 >= billed.0,
                    "{fault:?} {stream}: {counted:?} {billed:?} {ends:?}"
                );
            } else {
                assert_eq!(counted, billed, "{fault:?}, stream {stream}: {ends:?}");
            }
        }
    }
}

#[test]
fn a_server_that_hangs_is_left_in_time() {
    let models = ModelServer::start(Schedule { rates: Rates::always(Fault::Hang), ..Schedule::default() });
    for provider in providers(&models) {
        let request = ModelRequest { timeout: std::time::Duration::from_millis(100), ..question() };
        assert_eq!(ask(&*provider, &request).expect_err("no answer").kind, ModelErrorKind::Timeout);
    }
}

#[test]
fn no_error_quotes_the_data() {
    for &fault in Fault::ALL {
        if matches!(fault, Fault::Hang | Fault::SlowStream) {
            continue;
        }
        let models = ModelServer::start(Schedule { rates: Rates::always(fault), ..Schedule::default() });
        for provider in providers(&models) {
            if let Err(error) =
                ask(&*provider, &ModelRequest { schema: Some(json!({ "type": "object" })), ..question() })
            {
                assert!(!format!("{error} {error:?}").contains("mood"), "{fault:?}: {error:?}");
            }
        }
    }
}
