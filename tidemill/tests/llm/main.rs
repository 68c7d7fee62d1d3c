//! Language models, on the wire: providers against small servers and against the stand-in, and callers in executors.

mod batches;
mod callers;
mod gemini;
mod openai;
mod server;
mod settings;
mod stand_in;

use std::time::Duration;

use tidemill::llm::{ModelError, ModelReply, ModelRequest, Provider, ToolSpec, Turn};
use tokio::runtime::Runtime;

/// A question with data, a schema and little time.
fn question() -> ModelRequest {
    ModelRequest {
        system: "Be brief.".into(),
        turns: vec![Turn::user("How is the mood?")],
        schema: Some(serde_json::json!({
            "type": "object",
            "required": ["mood"],
            "additionalProperties": false,
            "properties": { "mood": { "enum": ["calm", "happy"] } },
        })),
        max_output_tokens: Some(100),
        temperature: Some(0.5),
        id: "request-1".into(),
        timeout: Duration::from_secs(5),
        ..ModelRequest::new("gemini-2.5-flash")
    }
}

fn history() -> ToolSpec {
    let parameters = serde_json::json!({ "type": "object", "properties": { "viewer": { "type": "string" } }, "required": ["viewer"] });
    ToolSpec { name: "history".into(), description: "A viewer's messages.".into(), parameters }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A runtime whose tasks run while nobody waits for them.
fn runtime_of_threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Asks, on a runtime of its own.
fn ask(provider: &dyn Provider, request: &ModelRequest) -> Result<ModelReply, ModelError> {
    runtime().block_on(provider.ask(request))
}
