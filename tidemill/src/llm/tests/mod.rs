//! Conversations with tools, steps and spans, without an executor.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Finish, ModelError, ModelErrorKind, ModelFuture, ModelReply, ModelRequest, ModelRoute, Provider, TokenUsage, Tool,
    ToolCall, ToolChoice, ToolContext, ToolFuture, Turn,
    conversation::{Account, Conversation},
    details::AnswerDetails,
    http::Deadline,
    output::Flaws,
    step::Keep,
    toolbox::{Toolbox, key_bytes},
};
use crate::async_op::{CallError, Retry};

type Outcome = Result<ModelReply, ModelError>;

/// Says these things one after the other, and the last one again and again.
#[derive(Debug)]
struct Canned {
    says: Vec<Outcome>,
    asked: Mutex<Vec<ModelRequest>>,
}

impl Provider for Canned {
    fn name(&self) -> &'static str {
        "canned"
    }
    fn address(&self) -> Option<&str> {
        Some("models.example")
    }
    fn ask<'a>(&'a self, request: &'a ModelRequest) -> ModelFuture<'a> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let said = self.says[asked.len().min(self.says.len() - 1)].clone();
        asked.push(request.clone());
        Box::pin(async { said })
    }
}

/// Counts the letters of a viewer's name, and how often it was used.
#[derive(Default)]
struct Letters(Mutex<Vec<ToolContext>>);

impl Tool for Letters {
    fn name(&self) -> &'static str {
        "letters"
    }
    fn description(&self) -> &'static str {
        "The number of letters of a name."
    }
    fn parameters(&self) -> Value {
        json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] })
    }
    fn call<'a>(&'a self, arguments: Value, context: &'a ToolContext) -> ToolFuture<'a> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(context.clone());
        Box::pin(async move { Ok(json!(arguments["name"].as_str().unwrap_or_default().len())) })
    }
}

/// A log that keeps so many steps, and then is gone, as after a crash.
struct Log {
    steps: Mutex<Vec<Bytes>>,
    room: usize,
}

impl Log {
    fn with_room(room: usize) -> Self {
        Self { steps: Mutex::default(), room }
    }
    fn steps(&self) -> Vec<Bytes> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Keep for Log {
    fn keep(&self, step: Bytes) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let safe = steps.len() < self.room;
        if safe {
            steps.push(step);
        }
        let _ = sender.send(safe);
        receiver
    }
}

fn usage(input_tokens: u64, output_tokens: u64) -> TokenUsage {
    TokenUsage { input_tokens, output_tokens, ..TokenUsage::default() }
}

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall { id: "c".into(), name: name.into(), arguments, broken: false }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside outcomes that are errors")]
fn asks(calls: Vec<ToolCall>) -> Outcome {
    let calls = calls.into_iter().enumerate().map(|(at, call)| ToolCall { id: format!("c{at}"), ..call }).collect();
    Ok(ModelReply { calls, finish: Finish::ToolCalls, usage: usage(100, 10), ..ModelReply::default() })
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside outcomes that are errors")]
fn says(text: &str) -> Outcome {
    let (model_version, response_id) = ("m-1".into(), "r-1".into());
    Ok(ModelReply { text: text.into(), usage: usage(100, 10), model_version, response_id, ..ModelReply::default() })
}

/// A model, a tool and a limit.
struct Scene {
    route: ModelRoute,
    model: Arc<Canned>,
    letters: Arc<Letters>,
    toolbox: Toolbox,
}

impl Scene {
    fn new(says: Vec<Outcome>, most: u32) -> Self {
        let model = Arc::new(Canned { says, asked: Mutex::default() });
        let letters = Arc::new(Letters::default());
        let toolbox = Toolbox::new(vec![letters.clone()], most);
        Self { route: ModelRoute::new(model.clone(), "small"), model, letters, toolbox }
    }

    /// Talks until the answer is `done`, with steps of earlier attempts.
    fn talk(&self, steps: &[Bytes], log: &Log) -> (Result<String, CallError>, Account) {
        let request = Bytes::from_static(b"ann\0\0\0\0\0\0\0\x01");
        let conversation = Conversation {
            route: &self.route,
            prompt_hash: "hash",
            system: "a system text".into(),
            user: "a user's text".into(),
            schema: None,
            temperature: Some(0.5),
            max_output_tokens: Some(50),
            toolbox: &self.toolbox,
            context: ToolContext { key: key_bytes(&request), request, timestamp: 7, id: String::new() },
            steps,
            keep: log,
            attempt: 1,
            deadline: Deadline::after(Duration::from_secs(5)),
        };
        let mut accept = |text: &str| match text {
            "done" => Ok(text.to_owned()),
            _ => Err(Flaws::new("it is not done")),
        };
        let mut account = Account::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = runtime.expect("a runtime").block_on(conversation.run(&mut account, &mut accept));
        (outcome, account)
    }

    fn asked(&self) -> Vec<ModelRequest> {
        self.model.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn used(&self) -> Vec<ToolContext> {
        self.letters.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The results that the model saw in its last turn.
    fn results(&self) -> Vec<(Value, bool)> {
        let turns = self.asked().pop().map(|request| request.turns).unwrap_or_default();
        let results = turns.into_iter().filter_map(|turn| match turn {
            Turn::ToolResult(result) => Some((result.content, result.error)),
            _ => None,
        });
        results.collect()
    }
}

fn name(name: &str) -> Value {
    json!({ "name": name })
}

#[test]
fn a_model_uses_tools_and_then_answers() {
    let scene =
        Scene::new(vec![asks(vec![call("letters", name("Ann")), call("letters", name("Otto"))]), says("done")], 4);
    let (outcome, account) = scene.talk(&[], &Log::with_room(9));
    assert_eq!(outcome, Ok("done".into()));
    assert_eq!(scene.results(), [(json!(3), false), (json!(4), false)]);
    assert_eq!((account.usage.input_tokens, account.usage.output_tokens, account.details.tool_calls), (200, 20, 2));
    let used = scene.used();
    assert_eq!((&used[0].key[..], used[0].timestamp), (&b"ann"[..], 7));
    assert_ne!(used[0].id, used[1].id);
}

#[test]
fn a_repeat_goes_on_behind_the_last_kept_step_and_uses_no_tool_twice() {
    let model = || vec![asks(vec![call("letters", name("Ann")), call("letters", name("Otto"))]), says("done")];
    for room in 0..=3 {
        let (before, log) = (Scene::new(model(), 4), Log::with_room(room));
        let (outcome, _) = before.talk(&[], &log);
        assert_eq!(outcome.is_ok(), room == 3, "it goes on only when a step is safe");
        assert_eq!(before.used().len(), room.min(2), "the last use was not safe");
        assert_eq!(before.asked().len(), if room == 3 { 2 } else { 1 });

        // Another executor takes over. Its model says what comes next.
        let after = Scene::new(if room == 0 { model() } else { vec![says("done")] }, 4);
        let (outcome, account) = after.talk(&log.steps(), &Log::with_room(9));
        assert_eq!(outcome, Ok("done".into()), "{room} steps");
        assert_eq!(after.used().len(), 2 - room.saturating_sub(1));
        assert_eq!(after.results(), [(json!(3), false), (json!(4), false)]);
        assert_eq!(account.details.tool_calls, 2);
        if room == 1 || room == 2 {
            // A use that was cut short is repeated under the same id.
            assert_eq!(after.used()[0].id, before.used()[room - 1].id);
        }
    }
}

#[test]
fn wrong_uses_are_told_to_the_model_once() {
    let wrong = [
        call("letter", name("Ann")),
        call("letters", json!({})),
        ToolCall { broken: true, ..call("letters", json!("{")) },
    ];
    let wrong = || asks(wrong.to_vec());
    let scene = Scene::new(vec![wrong(), says("done")], 4);
    assert_eq!(scene.talk(&[], &Log::with_room(9)).0, Ok("done".into()));
    let results = scene.results();
    assert!(results.iter().all(|(_, error)| *error) && scene.used().is_empty());
    assert!(results[0].0.as_str().is_some_and(|text| text.contains("The tools are: letters")), "{results:?}");

    let scene = Scene::new(vec![wrong()], 9);
    let error = scene.talk(&[], &Log::with_room(9)).0.expect_err("wrong again");
    assert_eq!((error.retry, scene.asked().len()), (Retry::Never, 2));
}

#[test]
fn uses_of_tools_are_limited() {
    let scene = Scene::new(vec![asks(vec![call("letters", name("Ann")); 3])], 2);
    let error = scene.talk(&[], &Log::with_room(9)).0.expect_err("it never answers");
    assert_eq!(error.message, "the model asked for more than 2 uses of tools");
    let choices: Vec<_> = scene.asked().iter().map(|request| request.tool_choice).collect();
    assert_eq!((choices, scene.used().len()), (vec![ToolChoice::Auto, ToolChoice::None], 2));
    assert_eq!(scene.results()[2], (json!("no more tools can be used. Answer now"), true));
}

#[test]
fn a_use_that_gemini_calls_malformed_is_not_made() {
    let mut malformed = asks(vec![call("letters", name("Ann"))]);
    if let Ok(reply) = &mut malformed {
        reply.finish = Finish::Other("MALFORMED_FUNCTION_CALL".into());
    }
    let scene = Scene::new(vec![malformed], 4);
    let error = scene.talk(&[], &Log::with_room(9)).0.expect_err("no answer");
    assert!(error.retry == Retry::Backoff && scene.used().is_empty());
}

#[test]
fn what_failed_is_counted_too() {
    let broken =
        Err(ModelError::from(ModelErrorKind::Timeout).with_usage(TokenUsage { estimated: true, ..usage(90, 5) }));
    let scene = Scene::new(vec![says("wrong"), broken], 4);
    let (outcome, account) = scene.talk(&[], &Log::with_room(9));
    assert_eq!(outcome, Err(CallError::transient("the model did not answer in time")));
    assert_eq!((account.usage.input_tokens, account.usage.output_tokens), (190, 15));
    assert!(account.details.repaired && account.details.estimated_usage);
}

#[test]
fn what_a_server_tells_of_itself_is_short_and_credible() {
    let mut odd = says("done");
    if let Ok(reply) = &mut odd {
        reply.model_version = format!("m\u{202e}\n<b>{}", "x".repeat(9_000));
        reply.response_id = "r".repeat(9_000);
        reply.usage = usage(u64::MAX, u64::MAX);
    }
    let (outcome, account) = Scene::new(vec![odd], 4).talk(&[], &Log::with_room(9));
    assert_eq!(outcome, Ok("done".into()));
    let AnswerDetails { model, response_id, estimated_usage, .. } = account.details;
    assert!(model.starts_with("m<b>xxx") && model.len() == 120 && response_id.len() == 120, "{model}");
    assert!(estimated_usage && account.usage.input_tokens < 1_000 && account.usage.output_tokens == 1);
}

#[test]
fn a_turn_that_no_log_would_take_ends_the_conversation() {
    let long = || call("letters", json!({ "name": "x".repeat(600 << 10) }));
    for turn in [vec![long()], vec![call("letters", name("Ann")); 40]] {
        let (scene, log) = (Scene::new(vec![asks(turn), says("done")], 4), Log::with_room(99));
        let error = scene.talk(&[], &log).0.expect_err("it is too much");
        assert_eq!((error.retry, log.steps().len(), scene.asked().len()), (Retry::Never, 0, 1));
    }
}

/// Where spans are written to.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn spans_tell_models_tokens_and_errors_and_no_content() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let scene = Scene::new(vec![asks(vec![call("letters", name("Ann"))]), says("done")], 4);
        assert!(scene.talk(&[], &Log::with_room(9)).0.is_ok());
        let scene = Scene::new(vec![Err(ModelErrorKind::Timeout.into())], 4);
        assert!(scene.talk(&[], &Log::with_room(9)).0.is_err());
    });
    let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = String::from_utf8_lossy(&bytes);
    for part in [
        "otel.name=\"chat small\"",
        "gen_ai.operation.name=\"chat\"",
        "gen_ai.provider.name=\"canned\"",
        "gen_ai.request.model=\"small\"",
        "gen_ai.request.max_tokens=50",
        "gen_ai.request.temperature=0.5",
        "gen_ai.response.model=\"m-1\"",
        "gen_ai.response.id=\"r-1\"",
        "gen_ai.response.finish_reasons=\"[\\\"stop\\\"]\"",
        "gen_ai.usage.input_tokens=100",
        "gen_ai.usage.output_tokens=10",
        "server.address=\"models.example\"",
        "error.type=\"timeout\"",
        "otel.name=\"execute_tool letters\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for content in ["a system text", "a user's text", "done", "Ann"] {
        assert!(!text.contains(content), "{content} in {text}");
    }
}
