//! What errors of OpenAI-compatible servers mean.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::llm::{
    error::{ModelError, ModelErrorKind},
    http,
};

/// Interprets an error: `{"error": {"code", "type"}}`, or as an array, or with a text in `error`.
pub(super) fn error(status: StatusCode, retry_after: Option<Duration>, body: &Value) -> ModelError {
    let error = body.get(0).unwrap_or(body).get("error").unwrap_or(&Value::Null);
    // A response with status 200 may contain an error with a code of its own.
    let number = error["code"].as_u64().or_else(|| error["code"].as_str()?.parse().ok());
    let own = number.and_then(|number| StatusCode::from_u16(u16::try_from(number).ok()?).ok());
    let status = own.filter(|own| own.as_u16() >= 400).unwrap_or(status);
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let name = [&error["code"], &error["type"], &error["status"]].into_iter().find(|name| name.is_string());
    let (code, names) = (http::code(name, status), [text("code"), text("type")]);
    let is = |name: &str| names.contains(&name);
    let message = text("message");
    if is("content_filter") || is("content_policy_violation") {
        return ModelErrorKind::Blocked { reason: "content_filter".into() }.into();
    }
    if is("context_length_exceeded") || is("exceed_context_size_error") || is("request_too_large") {
        return ModelErrorKind::TooLarge { code }.into();
    }
    match status.as_u16() {
        // The account has no money left. Waiting does not help.
        _ if is("insufficient_quota") => ModelErrorKind::RateLimited { retry_after: None, daily: true, code },
        _ if is("rate_limit_exceeded") => ModelErrorKind::RateLimited { retry_after, daily: false, code },
        400 if message.contains("context length") || message.contains("context size") => {
            ModelErrorKind::TooLarge { code }
        }
        401 | 403 => ModelErrorKind::Unauthorized { code },
        402 => ModelErrorKind::RateLimited { retry_after: None, daily: true, code },
        413 => ModelErrorKind::TooLarge { code },
        429 => ModelErrorKind::RateLimited { retry_after, daily: false, code },
        408 | 409 | 425 | 500.. => ModelErrorKind::Unavailable { retry_after, code },
        // An error within a response that is otherwise fine comes from behind the server.
        200..=299 => ModelErrorKind::Unavailable { retry_after, code },
        _ => ModelErrorKind::Refused { code },
    }
    .into()
}
