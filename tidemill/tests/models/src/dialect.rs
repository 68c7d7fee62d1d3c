//! The protocols that the stand-in speaks.

use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;

use crate::asked::Asked;
use crate::refusal::Refusal;
use crate::reply::{Answer, Usage};
use crate::{gemini, key, openai};

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `array` is a stream as one JSON array, which Gemini sends without `alt=sse`.
    Gemini {
        array: bool,
    },
    /// Gemini behind Vertex AI: other keys, other refusals of them.
    Vertex {
        array: bool,
    },
    OpenAi,
}

/// What an answer needs besides its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub(crate) id: &'a str,
    pub(crate) asked: &'a Asked,
}

impl Dialect {
    /// The key in the headers. `in_address` is the key of the query.
    pub(crate) fn key(self, headers: &HeaderMap, in_address: Option<String>) -> Option<String> {
        match self {
            Self::Gemini { .. } => key::header(headers, "x-goog-api-key").or(in_address),
            Self::Vertex { .. } | Self::OpenAi => key::bearer(headers),
        }
    }

    /// Whether a request without a key is refused, even if any key is right. Local servers of `OpenAI`'s protocol want
    /// none.
    pub(crate) fn needs_key(self) -> bool {
        self != Self::OpenAi
    }

    /// What the request asks. The model and whether it wants a stream stand in Gemini's path.
    pub(crate) fn read(self, body: &[u8], model: String, stream: bool) -> Result<Asked, String> {
        match self {
            Self::Gemini { .. } | Self::Vertex { .. } => gemini::read(body, model, stream),
            Self::OpenAi => openai::read(body),
        }
    }

    pub(crate) fn refusal(self, refusal: &Refusal) -> Response {
        match self {
            Self::Gemini { .. } => gemini::refusal(refusal, false),
            Self::Vertex { .. } => gemini::refusal(refusal, true),
            Self::OpenAi => openai::refusal(refusal),
        }
    }

    /// The answer as one object.
    pub(crate) fn whole(self, envelope: Envelope<'_>, answer: &Answer) -> Value {
        match self {
            Self::Gemini { .. } | Self::Vertex { .. } => gemini::whole(envelope, answer),
            Self::OpenAi => openai::whole(envelope, answer),
        }
    }

    /// The answer in pieces, at least two.
    pub(crate) fn pieces(self, envelope: Envelope<'_>, answer: &Answer) -> Vec<Value> {
        match self {
            Self::Gemini { .. } | Self::Vertex { .. } => gemini::pieces(envelope, answer),
            Self::OpenAi => openai::pieces(envelope, answer),
        }
    }

    /// An answer of nothing at all.
    pub(crate) fn empty(self, envelope: Envelope<'_>, usage: Usage) -> Value {
        match self {
            Self::Gemini { .. } | Self::Vertex { .. } => gemini::empty(envelope, usage, None),
            Self::OpenAi => openai::empty(envelope, usage),
        }
    }

    /// A refused prompt. `None` if this provider says so by an error.
    pub(crate) fn blocked_prompt(self, envelope: Envelope<'_>, usage: Usage) -> Option<Value> {
        match self {
            Self::Gemini { .. } | Self::Vertex { .. } => {
                Some(gemini::empty(envelope, usage, Some("PROHIBITED_CONTENT")))
            }
            Self::OpenAi => None,
        }
    }

    /// An error that comes with status 200.
    pub(crate) fn ok_error(self) -> Value {
        match self {
            Self::Gemini { .. } | Self::Vertex { .. } => gemini::ok_error(),
            Self::OpenAi => openai::ok_error(),
        }
    }

    /// The pieces of a stream as they go over the wire. `ends` is whether the last piece is the last of the answer.
    pub(crate) fn framed(self, pieces: &[Value], ends: bool) -> Vec<String> {
        let mut frames: Vec<String> = match self {
            Self::Gemini { array: true } | Self::Vertex { array: true } => {
                let start = |at: usize| if at == 0 { "[" } else { ",\r\n" };
                pieces.iter().enumerate().map(|(at, piece)| format!("{}{piece}", start(at))).collect()
            }
            Self::Gemini { .. } | Self::Vertex { .. } => {
                pieces.iter().map(|piece| format!("data: {piece}\r\n\r\n")).collect()
            }
            Self::OpenAi => pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect(),
        };
        match self {
            Self::Gemini { array: true } | Self::Vertex { array: true } if ends => frames.push("]".into()),
            Self::OpenAi if ends => frames.push("data: [DONE]\n\n".into()),
            _ => {}
        }
        frames
    }

    /// The type of a stream's content.
    pub(crate) fn stream_type(self) -> &'static str {
        match self {
            Self::Gemini { array: true } | Self::Vertex { array: true } => "application/json; charset=UTF-8",
            _ => "text/event-stream",
        }
    }

    /// What comes between the pieces of a slow stream.
    pub(crate) fn comment(self) -> &'static str {
        match self {
            Self::Gemini { array: true } | Self::Vertex { array: true } => "\r\n",
            _ => ": keep-alive\n\n",
        }
    }
}

/// A text in pieces of some characters: at least one piece.
pub(crate) fn in_pieces(text: &str) -> Vec<String> {
    const PIECE: usize = 24;
    let characters: Vec<char> = text.chars().collect();
    if characters.is_empty() {
        return vec![String::new()];
    }
    characters.chunks(PIECE).map(|piece| piece.iter().collect()).collect()
}
