//! Several requests in one prompt, and what tools make of them.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tidemill::{
    CallRequest, Caller, Reply,
    llm::{
        Finish, ModelCaller, ModelError, ModelFuture, ModelReply, ModelRequest, ModelRoute, Provider, Tool, ToolCall,
        ToolContext, ToolFuture, Turn,
    },
};

use crate::callers::{Canned, Failure, GOOD, Mood, caller, run};

/// Collects a batch before it hands it on, as an executor with a batch does.
struct Together<C> {
    inner: C,
    size: usize,
    waiting: Vec<(CallRequest<u64, String>, Reply<String>)>,
}

impl<C: Caller<u64, String, String>> Caller<u64, String, String> for Together<C> {
    fn call(&mut self, request: CallRequest<u64, String>, reply: Reply<String>) {
        self.waiting.push((request, reply));
        if self.waiting.len() == self.size {
            self.inner.call_batch(std::mem::take(&mut self.waiting));
        }
    }
}

#[test]
fn a_batch_shares_a_prompt_and_asks_again_only_for_what_is_missing_or_wrong() -> Result<(), Failure> {
    let answer = |mood: &str| json!({ "mood": mood, "advice": "x" });
    let all = json!({ "answers": [
        { "index": 2, "answer": answer("happy") }, { "index": 0, "answer": answer("calm") }, { "index": 1, "answer": answer("odd") },
    ] });
    let model = Canned::saying(&[&all.to_string(), GOOD]);
    let (_runtime, inner) = caller(model.clone());
    let together = Together { inner, size: 5, waiting: Vec::new() };
    // The fourth line is silent, the fifth has another tenant.
    let moods = run(together, "model", &[(1, "a"), (2, "b"), (3, "c"), (4, ""), (100, "e")])?;
    let asked = model.asked();
    assert_eq!(asked.len(), 3, "the batch, the wrong one, and the other tenant's");
    let shared = asked.iter().find(|request| request.max_output_tokens == Some(150)).ok_or("a batch of three")?;
    assert!(matches!(&shared.turns[0], Turn::User { text } if text.contains(r#"{"data":{"lines":["c"]},"index":2}"#)));
    assert_eq!(moods.len(), 5);
    if std::ptr::eq(shared, &raw const asked[0]) {
        assert_eq!(moods, ["a: calm by small", "b: calm by small", "c: happy by small", "e: calm by small", "silent"]);
    }
    Ok(())
}

#[test]
fn a_batch_that_is_blocked_is_asked_one_by_one() -> Result<(), Failure> {
    let blocked = ModelReply { finish: Finish::Blocked("SAFETY".into()), ..ModelReply::default() };
    let good = ModelReply { text: GOOD.into(), ..ModelReply::default() };
    let model = Arc::new(Canned { says: vec![Ok(blocked), Ok(good)], asked: Mutex::default() });
    let (_runtime, inner) = caller(model.clone());
    let together = Together { inner, size: 2, waiting: Vec::new() };
    assert_eq!(run(together, "model", &[(1, "a"), (2, "b")])?, ["a: calm by small", "b: calm by small"]);
    assert_eq!(model.asked().len(), 3);
    Ok(())
}

/// Tells nothing.
struct History;

impl Tool for History {
    fn name(&self) -> &'static str {
        "history"
    }
    fn description(&self) -> &'static str {
        "The moods before."
    }
    fn parameters(&self) -> Value {
        json!({ "type": "object" })
    }
    fn call<'a>(&'a self, _: Value, _: &'a ToolContext) -> ToolFuture<'a> {
        Box::pin(async { Ok(json!([])) })
    }
}

/// Looks once into the history, if it may, and then answers each item.
#[derive(Debug, Default)]
struct Curious {
    asked: Mutex<Vec<ModelRequest>>,
}

impl Provider for Curious {
    fn name(&self) -> &'static str {
        "curious"
    }
    fn ask<'a>(&'a self, request: &'a ModelRequest) -> ModelFuture<'a> {
        self.asked.lock().expect("the list").push(request.clone());
        let has_looked = request.turns.iter().any(|turn| matches!(turn, Turn::ToolResult(_)));
        let reply = if !request.tools.is_empty() && !has_looked {
            let calls = vec![ToolCall { id: "1".into(), name: "history".into(), arguments: json!({}), broken: false }];
            ModelReply { calls, finish: Finish::ToolCalls, ..ModelReply::default() }
        } else if request.max_output_tokens > Some(50) {
            let answer = json!({ "mood": "calm", "advice": "x" });
            let all: Vec<_> = (0..8).map(|index| json!({ "index": index, "answer": answer })).collect();
            ModelReply { text: json!({ "answers": all }).to_string(), ..ModelReply::default() }
        } else {
            ModelReply { text: GOOD.into(), ..ModelReply::default() }
        };
        Box::pin(async { Ok::<_, ModelError>(reply) })
    }
}

/// The figure of the guide `paid_twice`.
#[test]
fn eight_requests_with_a_tool_are_sixteen_requests_to_the_model_instead_of_one() -> Result<(), Failure> {
    let lines: Vec<(u64, &str)> = (1..9).zip(["a", "b", "c", "d", "e", "f", "g", "h"]).collect();
    let sent = |tools: Vec<Arc<dyn Tool>>| -> Result<usize, Failure> {
        let (runtime, model) = (crate::runtime_of_threads(), Arc::new(Curious::default()));
        let route = ModelRoute::new(model.clone(), "small");
        let inner = ModelCaller::new(Mood::with_tools(tools), runtime.handle().clone()).route("model", route);
        let moods = run(Together { inner, size: 8, waiting: Vec::new() }, "model", &lines)?;
        assert_eq!(moods.len(), 8);
        let sent = model.asked.lock().expect("the list").len();
        Ok(sent)
    };
    assert_eq!(sent(Vec::new())?, 1);
    assert_eq!(sent(vec![Arc::new(History)])?, 16);
    Ok(())
}
