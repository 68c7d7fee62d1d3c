//! The stand-in for model providers checks requests strictly, and keeps the bill. What it bills must be what we count.

use tidemill::llm::{
    Finish, Gemini, ModelErrorKind, ModelRequest, OpenAi, OutputCheck, Provider, StaticToken, StructuredOutput,
    TokenUsage,
};
use tidemill_model_server::{Fault, ModelServer, Rates, Schedule};

use crate::{ask, history, question, runtime};

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

/// All faults of answers that end. A key that is exhausted rests, so those faults have a test of their own.
fn faults() -> impl Iterator<Item = Fault> {
    let others = [Fault::Hang, Fault::SlowStream, Fault::RateLimited, Fault::OutOfCredit];
    Fault::ALL.iter().copied().filter(move |fault| !others.contains(fault))
}

#[test]
fn what_is_billed_is_what_is_counted_whatever_goes_wrong() {
    let models = ModelServer::start(Schedule::default());
    let (runtime, mut billed) = (runtime(), models.bill().all);
    for stream in [false, true] {
        let providers = providers(&models);
        for fault in faults() {
            models.change(|schedule| schedule.rates = Rates::always(fault));
            for (at, provider) in providers.iter().enumerate() {
                let request = ModelRequest { stream, id: format!("{at}-{stream}-{fault:?}"), ..question() };
                let outcome = runtime.block_on(provider.ask(&request));
                let usage = outcome.as_ref().map_or_else(|error| error.usage, |reply| reply.usage);
                let bill = models.bill().all;
                let (input, output) =
                    (bill.input_tokens - billed.input_tokens, bill.output_tokens - billed.output_tokens);
                billed = bill;
                if usage.estimated {
                    // An estimate is no worse than a half, as far as the input goes. What never came is unknown.
                    assert!(usage.input_tokens * 2 >= input, "{fault:?} {stream}: {usage:?}, {input} {outcome:?}");
                } else {
                    assert_eq!((usage.input_tokens, usage.output_tokens), (input, output), "{fault:?}: {outcome:?}");
                }
                if let Err(error) = outcome {
                    assert!(!format!("{error} {error:?}").contains("mood"), "{fault:?} quotes the data: {error:?}");
                }
            }
        }
    }
}

#[test]
fn an_exhausted_key_is_told_by_every_provider_and_costs_nothing() {
    let models = ModelServer::start(Schedule::default());
    for (fault, of_a_day) in [(Fault::RateLimited, false), (Fault::OutOfCredit, true)] {
        models.change(|schedule| schedule.rates = Rates::always(fault));
        for provider in providers(&models) {
            let error = ask(&*provider, &question()).expect_err("exhausted");
            let ModelErrorKind::RateLimited { daily, retry_after, .. } = &error.kind else { panic!("{error:?}") };
            assert_eq!((*daily, error.usage), (of_a_day, TokenUsage::default()), "{provider:?}");
            assert!(*daily || retry_after.is_some(), "{error:?}");
        }
    }
    assert_eq!(models.bill().all.billed_calls, 0);
}

#[test]
fn a_server_that_hangs_is_left_in_time() {
    let models = ModelServer::start(Schedule { rates: Rates::always(Fault::Hang), ..Schedule::default() });
    for provider in providers(&models) {
        let request = ModelRequest { timeout: std::time::Duration::from_millis(100), ..question() };
        assert_eq!(ask(&*provider, &request).expect_err("no answer").kind, ModelErrorKind::Timeout);
    }
}
