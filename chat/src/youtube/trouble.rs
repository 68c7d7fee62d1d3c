//! What the refusals of YouTube mean, over gRPC and over REST.

use std::time::Duration;

use serde_json::Value;
use tonic::{Code, Status};

use crate::{ChatError, net::unauthorised};

/// What went wrong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The chat is over.
    Over,
    /// The token of the next page is too old.
    Forgotten,
    /// The server knows no stream of messages, or nothing lets gRPC pass.
    NoStream,
    /// There is no such chat, or there is none any more.
    NotFound,
    /// Anything else.
    Other(ChatError),
}

const WHAT: &str = "YouTube";
/// The quota of a day begins anew at midnight in California. Nothing else renews it.
const QUOTA: Duration = Duration::from_secs(3_600);

impl Trouble {
    /// What is told. A chat that was given by its id cannot be looked up anew.
    pub(super) fn told(self, is_given: bool) -> ChatError {
        match self {
            Self::Other(error) => error,
            Self::NotFound if is_given => {
                ChatError::refused("YouTube knows no such chat", "check the option live_chat_id")
            }
            Self::NotFound => ChatError::transient("YouTube does not find the chat"),
            Self::Over => ChatError::transient("the chat is over"),
            Self::Forgotten => ChatError::transient("YouTube does not know where the chat went on"),
            Self::NoStream => ChatError::transient("YouTube's server knows no stream of messages"),
        }
    }

    /// What a status of gRPC means.
    pub(super) fn of_status(status: &Status, credential: &str, renews: bool) -> Self {
        // Messages of Google's servers hold no secrets of the request, but nobody promises it: they are not shown.
        let message = status.message().to_ascii_lowercase();
        let reason = format!("{WHAT} answered {:?}", status.code());
        Self::Other(match status.code() {
            Code::FailedPrecondition if message.contains("disabled") => switched_off(),
            Code::PermissionDenied if message.contains("disabled") => switched_off(),
            Code::FailedPrecondition => return Self::Over,
            Code::NotFound => return Self::NotFound,
            Code::Unimplemented => return Self::NoStream,
            Code::InvalidArgument if message.contains("token") => return Self::Forgotten,
            Code::InvalidArgument if message.contains("api key") => bad_credential(credential),
            Code::InvalidArgument => ChatError::refused(reason, "check the source's address and options"),
            Code::Unauthenticated => unauthorised(WHAT, credential, renews),
            Code::PermissionDenied => bad_credential(credential),
            Code::ResourceExhausted if message.contains("quota") => over_quota(),
            _ => ChatError::transient(reason),
        })
    }

    /// What a refusal over REST means: the status, the body, how long the server asks to wait.
    pub(super) fn of_answer(
        status: u16,
        body: &Value,
        retry_after: Option<Duration>,
        credential: &str,
        renews: bool,
    ) -> Self {
        let first = body.pointer("/error/errors/0/reason").and_then(Value::as_str).unwrap_or_default();
        let message = body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        let reason = if first.is_empty() {
            format!("{WHAT} answered {status}")
        } else {
            format!("{WHAT} answered {status} ({first})")
        };
        Self::Other(match (status, first) {
            (_, "liveChatEnded") => return Self::Over,
            (_, "liveChatDisabled") => switched_off(),
            (_, "liveChatNotFound") => return Self::NotFound,
            (_, "pageTokenInvalid" | "invalidPageToken") => return Self::Forgotten,
            (_, "quotaExceeded" | "dailyLimitExceeded") => over_quota(),
            (_, "rateLimitExceeded" | "userRateLimitExceeded") | (429, _) => {
                ChatError::Transient { reason, retry_after }
            }
            (_, "accessNotConfigured") => {
                ChatError::refused(reason, "switch the YouTube Data API v3 on for the project of the key or the token")
            }
            (400, _) if message.contains("API key") => bad_credential(credential),
            (401, _) => unauthorised(WHAT, credential, renews),
            (403, _) => bad_credential(credential),
            (400..=499, _) if status != 408 => ChatError::refused(reason, "check the source's address and options"),
            _ => ChatError::Transient { reason, retry_after },
        })
    }
}

impl From<ChatError> for Trouble {
    fn from(error: ChatError) -> Self {
        Self::Other(error)
    }
}

fn switched_off() -> ChatError {
    ChatError::refused("the stream's chat is switched off", "switch the chat on in YouTube Studio")
}

fn bad_credential(credential: &str) -> ChatError {
    ChatError::refused(format!("{WHAT} refuses {credential}"), format!("check {credential} and what it may read"))
}

fn over_quota() -> ChatError {
    let reason = "the day's quota of YouTube's API is used up".to_owned();
    ChatError::Transient { reason, retry_after: Some(QUOTA) }
}
