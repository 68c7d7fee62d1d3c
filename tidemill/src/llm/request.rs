//! What is sent to a model, in words that all providers share.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One request to a model.
///
/// ```
/// use tidemill::llm::{ModelRequest, Turn};
///
/// let request = ModelRequest {
///     system: "You translate to Latin.".into(),
///     turns: vec![Turn::user("the sea")],
///     max_output_tokens: Some(50),
///     ..ModelRequest::new("gemini-2.5-flash")
/// };
/// assert_eq!(request.timeout.as_secs(), 60);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRequest {
    /// The model's name, as its provider writes it.
    pub model: String,
    /// The trusted instruction. It contains no data.
    pub system: String,
    /// The conversation so far. The last turn is the user's, or a tool's result.
    pub turns: Vec<Turn>,
    /// The JSON schema of the answer, or `None` for plain text.
    pub schema: Option<Value>,
    /// The tools that the model may ask for.
    pub tools: Vec<ToolSpec>,
    /// Whether the model may ask for tools now.
    pub tool_choice: ToolChoice,
    /// From 0 (always the most probable word) up. Some models take none.
    pub temperature: Option<f64>,
    /// The most tokens of the answer, thoughts included.
    pub max_output_tokens: Option<u32>,
    /// Whether the answer is sent in parts. A broken connection then shows sooner, and what came until then is known.
    pub stream: bool,
    /// Identifies what the request belongs to: it is the same for all turns and attempts. It is sent as `x-request-id`,
    /// and together with a hash of the whole request as `idempotency-key`.
    pub id: String,
    /// How long the request may take, in wall time.
    pub timeout: Duration,
}

impl ModelRequest {
    /// An empty request to a model, with a minute of time. See the example of [`ModelRequest`].
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            system: String::new(),
            turns: Vec::new(),
            schema: None,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            temperature: None,
            max_output_tokens: None,
            stream: false,
            id: String::new(),
            timeout: Duration::from_secs(60),
        }
    }

    /// Roughly how much is sent, in bytes. For estimates.
    pub(super) fn bytes(&self) -> u64 {
        let turns: usize = self.turns.iter().map(Turn::bytes).sum();
        let tools: usize = self.tools.iter().map(ToolSpec::bytes).sum();
        let schema = self.schema.as_ref().map_or(0, |schema| schema.to_string().len());
        (self.system.len() + turns + tools + schema) as u64
    }
}

/// A part of a conversation. See the example of [`ModelRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Turn {
    /// The program, in the role of the user.
    User {
        /// What it says.
        text: String,
    },
    /// The model.
    Model(ModelTurn),
    /// The result of a tool that the model asked for.
    ToolResult(ToolResult),
}

impl Turn {
    /// A turn of the program. See the example of [`ModelRequest`].
    pub fn user(text: impl Into<String>) -> Self {
        Self::User { text: text.into() }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::User { text } => text.len(),
            Self::Model(turn) => {
                let calls = turn.calls.iter().map(|call| call.name.len() + call.arguments.to_string().len());
                turn.text.len() + calls.sum::<usize>()
            }
            Self::ToolResult(result) => result.content.to_string().len(),
        }
    }
}

/// What a model said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ModelTurn {
    /// Its text.
    #[serde(default)]
    pub text: String,
    /// The tools that it asks for.
    #[serde(default)]
    pub calls: Vec<ToolCall>,
    /// What only its provider can read, and wants back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Opaque>,
}

/// Parts of a model's turn that only its provider can read, such as signatures of thoughts. They are sent back to the
/// same provider as they came, and to no other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opaque {
    /// The provider's name ([`Provider::name`](super::Provider::name)).
    pub provider: String,
    /// The parts, as they came.
    pub parts: Value,
}

/// A model asks for a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Ties the result to the call.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What the tool gets. If [`ToolCall::broken`], the text that should have been JSON.
    pub arguments: Value,
    /// Whether the arguments are no JSON.
    #[serde(default)]
    pub broken: bool,
}

/// The result of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The id of the call.
    pub call: String,
    /// The tool's name.
    pub name: String,
    /// The result, or a text that says what was wrong.
    pub content: Value,
    /// Whether the tool gave no result.
    #[serde(default)]
    pub error: bool,
}

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

impl ToolSpec {
    fn bytes(&self) -> usize {
        self.name.len() + self.description.len() + self.parameters.to_string().len()
    }
}

/// Whether a model may ask for tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// The model must answer now. The tools are still listed, because the conversation may name them.
    None,
}
