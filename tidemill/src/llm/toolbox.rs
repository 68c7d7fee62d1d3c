//! The tools of a task, ready to be used.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use tracing::Instrument as _;

use super::{
    output::OutputCheck,
    request::{ToolCall, ToolResult, ToolSpec},
    span,
    tool::{Tool, ToolContext, spec},
};

/// A result that is longer is not shown to the model.
const LONGEST_RESULT: usize = 64 << 10;

#[derive(Clone)]
pub(super) struct Toolbox {
    tools: Vec<Ready>,
    /// How many uses a request has.
    pub(super) most: u32,
}

#[derive(Clone)]
struct Ready {
    tool: Arc<dyn Tool>,
    spec: ToolSpec,
    check: Arc<OutputCheck>,
}

impl Toolbox {
    /// # Panics
    /// If the parameters of a tool are no JSON schema.
    pub(super) fn new(tools: Vec<Arc<dyn Tool>>, most: u32) -> Self {
        let ready = tools.into_iter().map(|tool| {
            let spec = spec(&*tool);
            let check = OutputCheck::new(&spec.parameters);
            let check = check
                .unwrap_or_else(|flaws| panic!("the parameters of tool {} are no JSON schema: {flaws}", spec.name));
            Ready { tool, spec, check: Arc::new(check) }
        });
        Self { tools: ready.collect(), most }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    pub(super) fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|ready| ready.spec.clone()).collect()
    }

    /// What is wrong with a call: the tool does not exist, or its arguments do not fit. The text is for the model.
    pub(super) fn mistake(&self, call: &ToolCall) -> Option<String> {
        let Some(ready) = self.find(call) else {
            let names: Vec<_> = self.tools.iter().map(|ready| ready.spec.name.as_str()).collect();
            return Some(format!("there is no such tool. The tools are: {}", names.join(", ")));
        };
        if call.broken {
            return Some("the arguments are no JSON".into());
        }
        let flaws = ready.check.check_value(&call.arguments).err()?;
        Some(format!("the arguments do not fit the tool's parameters:\n{}", flaws.for_model()))
    }

    /// Uses a tool. Its arguments are right.
    pub(super) async fn run(&self, call: &ToolCall, context: &ToolContext, timeout: Duration) -> ToolResult {
        let Some(ready) = self.find(call) else { return failed(call, "there is no such tool") };
        let span = span::tool(&ready.spec.name, &context.id);
        let work = ready.tool.call(call.arguments.clone(), context).instrument(span.clone());
        let result = match tokio::time::timeout(timeout, work).await {
            Ok(Ok(content)) if content.to_string().len() <= LONGEST_RESULT => {
                ToolResult { call: call.id.clone(), name: call.name.clone(), content, error: false }
            }
            Ok(Ok(_)) => failed(call, "the result is too long. Ask for less"),
            Ok(Err(text)) => failed(call, text),
            Err(_) => failed(call, "the tool took too long"),
        };
        if result.error {
            span::tool_failed(&span);
        }
        result
    }

    fn find(&self, call: &ToolCall) -> Option<&Ready> {
        self.tools.iter().find(|ready| ready.spec.name == call.name)
    }
}

pub(super) fn failed(call: &ToolCall, text: impl Into<String>) -> ToolResult {
    let content = Value::from(text.into());
    ToolResult { call: call.id.clone(), name: call.name.clone(), content, error: true }
}

/// The bytes of a request's key: its id is the key and a number of eight bytes.
pub(super) fn key_bytes(id: &Bytes) -> Bytes {
    id.slice(..id.len().saturating_sub(8))
}
