//! What a request asks, in words that are the same for every provider.

use serde_json::Value;

use crate::draw::Draw;
use crate::tokens;

/// A tool that the model may ask for.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// JSON schema of its arguments.
    pub(crate) parameters: Value,
    /// The declaration as it was sent.
    pub(crate) declaration: String,
}

/// Whether the model may ask for tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ToolChoice {
    #[default]
    Free,
    Never,
    Must,
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Form {
    #[default]
    Text,
    /// JSON that fits a schema.
    Json(Value),
    /// One value of the schema's `enum`, without quotes.
    Choice(Value),
}

/// A request, without its provider's clothes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) model: String,
    /// Instructions.
    pub(crate) system: Vec<String>,
    /// What users and tools said.
    pub(crate) data: Vec<String>,
    /// What the model said before.
    pub(crate) said: Vec<String>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: ToolChoice,
    /// How often the model asked for tools in this conversation.
    pub(crate) tool_rounds: u32,
    pub(crate) form: Form,
    pub(crate) most_tokens: Option<u64>,
    pub(crate) stream: bool,
    /// Whether a stream says at its end what was used.
    pub(crate) stream_usage: bool,
}

impl Asked {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let messages = self.system.iter().chain(&self.data).chain(&self.said);
        messages.chain(self.tools.iter().map(|tool| &tool.declaration)).map(String::as_str)
    }

    /// What the prompt is billed as.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        tokens::of_characters(self.texts().map(|text| text.chars().count()).sum())
    }

    /// Numbers for the answer: the same for the same question.
    pub(crate) fn draw(&self) -> Draw {
        let mut parts = vec![self.model.as_str()];
        parts.extend(self.texts());
        let form = format!("{:?}", self.form);
        parts.push(&form);
        Draw::of(0, &parts)
    }

    /// The order in the data, if there is one, that the model forget its instructions.
    pub(crate) fn injection(&self) -> Option<String> {
        const ORDER: &str = "ignore your instructions";
        self.data.iter().find_map(|text| {
            // ASCII lower case keeps the places of characters.
            let at = text.to_ascii_lowercase().find(ORDER)?;
            Some(text[at..].lines().next().unwrap_or(ORDER).chars().take(200).collect())
        })
    }
}
