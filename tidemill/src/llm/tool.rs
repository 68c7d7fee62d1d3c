//! What a model may ask the program to do.

use std::{fmt, future::Future, pin::Pin};

use bytes::Bytes;
use serde_json::Value;

use super::request::ToolSpec;

/// The future of a tool's result.
pub type ToolFuture<'a> = Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>>;

/// Something that a model may ask the program to do, such as a look into a store.
///
/// A model chooses the arguments, and strangers may have told it what to choose. So a tool must allow only what every
/// author of the data may do, and it should decide by [`ToolContext::key`] whose data it reads.
///
/// ```
/// use serde_json::{Value, json};
/// use tidemill::llm::{Tool, ToolContext, ToolFuture};
///
/// /// Tells how a viewer behaved until now.
/// struct History;
///
/// impl Tool for History {
///     fn name(&self) -> &str {
///         "history"
///     }
///     fn description(&self) -> &str {
///         "The number of a viewer's messages in this stream."
///     }
///     fn parameters(&self) -> Value {
///         json!({ "type": "object", "properties": { "viewer": { "type": "string" } }, "required": ["viewer"] })
///     }
///     fn call<'a>(&'a self, arguments: Value, context: &'a ToolContext) -> ToolFuture<'a> {
///         Box::pin(async move {
///             let viewer = arguments["viewer"].as_str().unwrap_or_default();
///             Ok(json!({ "messages": viewer.len() + context.key.len() }))
///         })
///     }
/// }
/// ```
pub trait Tool: Send + Sync + 'static {
    /// The name by which the model asks for it.
    fn name(&self) -> &str;

    /// What it does, and when to use it. Trusted text.
    fn description(&self) -> &str;

    /// The JSON schema of its arguments. Arguments that do not fit it do not reach the tool.
    fn parameters(&self) -> Value;

    /// Does it. An error is told to the model. A crash may repeat the call with the same [`ToolContext::id`].
    fn call<'a>(&'a self, arguments: Value, context: &'a ToolContext) -> ToolFuture<'a>;
}

/// For whom a tool works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolContext {
    /// The bytes of the request's key.
    pub key: Bytes,
    /// The request's id ([`CallRequest::id`](crate::CallRequest::id)).
    pub request: Bytes,
    /// Event time of the request, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Identifies this use of the tool. It is the same if the use is repeated after a crash.
    pub id: String,
}

pub(super) fn spec(tool: &dyn Tool) -> ToolSpec {
    let (name, description) = (tool.name().to_owned(), tool.description().to_owned());
    ToolSpec { name, description, parameters: tool.parameters() }
}

impl fmt::Debug for dyn Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tool({})", self.name())
    }
}
