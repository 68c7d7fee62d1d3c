//! What the model does with a request, in words that are the same for every provider.

use serde_json::Value;

use crate::refusal::Refusal;

/// The tokens that a call used. They are what is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) answer: u64,
    pub(crate) thoughts: u64,
}

impl Usage {
    pub(crate) fn output(&self) -> u64 {
        self.answer + self.thoughts
    }

    pub(crate) fn total(&self) -> u64 {
        self.prompt + self.output()
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    /// It asks for a tool, and says that it stops.
    StopDespiteCalls,
    Length,
    Withheld,
    /// It asks for a tool in a way that cannot be parsed.
    MalformedCall,
}

/// A tool that the model asks for.
#[derive(Debug, Clone)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Thoughts that are shown.
    pub(crate) thought: Option<String>,
    pub(crate) text: String,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
    pub(crate) shows_usage: bool,
}

/// What the model does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Answer(Answer),
    /// It refuses the prompt.
    BlockedPrompt(Usage),
    /// It answers nothing at all.
    Empty(Usage),
    /// Status 200 with an error.
    OkError,
    Refused(Refusal),
    /// It never answers.
    Silence,
}

/// How an answer gets to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    Whole,
    /// With pauses.
    Slow,
    /// The connection closes in the middle.
    Cut,
    /// It ends in the middle as if that were its end.
    Unfinished,
    /// An error comes in the middle.
    Error,
}
