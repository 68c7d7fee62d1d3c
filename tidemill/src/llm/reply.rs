//! What a model answered, in words that all providers share.

use std::ops::AddAssign;

use super::request::{ModelTurn, Opaque, ToolCall};

/// The end of one request to a model. See the example of [`Provider`](super::Provider).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelReply {
    /// The answer's text, without thoughts.
    pub text: String,
    /// The tools that the model asks for.
    pub calls: Vec<ToolCall>,
    /// Why the model stopped.
    pub finish: Finish,
    /// What the request consumed.
    pub usage: TokenUsage,
    /// The exact version of the model that answered. Empty if the provider does not tell.
    pub model_version: String,
    /// The provider's id of the answer. Empty if the provider does not tell.
    pub response_id: String,
    /// What only the provider can read, and wants back.
    pub opaque: Option<Opaque>,
}

impl ModelReply {
    pub(super) fn turn(&self) -> ModelTurn {
        ModelTurn { text: self.text.clone(), calls: self.calls.clone(), opaque: self.opaque.clone() }
    }
}

/// Why a model stopped.
///
/// ```
/// use tidemill::llm::Finish;
///
/// assert_eq!(Finish::Blocked("SAFETY".into()).label(), "blocked:SAFETY");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Finish {
    /// It had said everything.
    #[default]
    Stop,
    /// It asks for tools.
    ToolCalls,
    /// It reached the most tokens of an answer.
    Length,
    /// A filter withheld the answer; the provider's name of the reason.
    Blocked(String),
    /// Anything else; the provider's name of the reason. The answer is not usable.
    Other(String),
}

impl Finish {
    /// A short name, for reports and spans. See the example of [`Finish`].
    pub fn label(&self) -> String {
        match self {
            Self::Stop => "stop".to_owned(),
            Self::ToolCalls => "tool_calls".to_owned(),
            Self::Length => "length".to_owned(),
            Self::Blocked(reason) => format!("blocked:{reason}"),
            Self::Other(reason) => format!("other:{reason}"),
        }
    }
}

/// The tokens that a request consumed.
///
/// ```
/// use tidemill::llm::TokenUsage;
///
/// let mut usage = TokenUsage { input_tokens: 900, output_tokens: 60, ..TokenUsage::default() };
/// usage += TokenUsage { input_tokens: 1_000, output_tokens: 80, thinking_tokens: 30, ..TokenUsage::default() };
/// assert_eq!((usage.input_tokens, usage.output_tokens, usage.thinking_tokens), (1_900, 140, 30));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenUsage {
    /// Tokens of the request, cached ones included.
    pub input_tokens: u64,
    /// Tokens of the answer, thoughts included.
    pub output_tokens: u64,
    /// The output tokens that are thoughts.
    pub thinking_tokens: u64,
    /// The input tokens that came from the provider's cache. They are usually cheaper.
    pub cached_tokens: u64,
    /// Whether the provider told no usage, so that it was counted from the length of the texts.
    pub estimated: bool,
}

impl TokenUsage {
    /// No request uses as many tokens. A server that tells more tells nonsense, which no budget should believe.
    const MOST: u64 = 1 << 32;

    pub(super) const fn is_credible(&self) -> bool {
        self.input_tokens <= Self::MOST && self.output_tokens <= Self::MOST
    }

    /// About four bytes make a token.
    pub(super) fn estimate(input_bytes: u64, output_bytes: u64) -> Self {
        Self {
            input_tokens: input_bytes.div_ceil(4),
            output_tokens: output_bytes.div_ceil(4),
            estimated: true,
            ..Self::default()
        }
    }
}

impl AddAssign for TokenUsage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.thinking_tokens = self.thinking_tokens.saturating_add(other.thinking_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.estimated = self.estimated || other.estimated;
    }
}
