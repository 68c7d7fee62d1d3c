//! Writes errors.

use std::time::SystemTime;

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use crate::refusal::{GATEWAY_PAGE, Refusal};
use crate::schedule::Hint;

/// An error with its headers.
pub(crate) fn refusal(refusal: &Refusal) -> Response {
    let (kind, code, message) = match refusal {
        Refusal::GatewayPage => return (StatusCode::BAD_GATEWAY, Html(GATEWAY_PAGE)).into_response(),
        Refusal::BadRequest(problem) => ("invalid_request_error", Value::Null, problem.clone()),
        Refusal::NoKey => (
            "invalid_request_error",
            Value::Null,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer \
             auth (i.e. Authorization: Bearer YOUR_KEY)."
                .to_owned(),
        ),
        Refusal::BadKey => {
            ("invalid_request_error", json!("invalid_api_key"), "Incorrect API key provided.".to_owned())
        }
        Refusal::NoModel(model) => (
            "invalid_request_error",
            json!("model_not_found"),
            format!("The model `{model}` does not exist or you do not have access to it."),
        ),
        Refusal::NoPath(path) => ("invalid_request_error", Value::Null, format!("Invalid URL ({path})")),
        Refusal::BlockedPrompt => (
            "invalid_request_error",
            json!("content_filter"),
            "The response was filtered due to the prompt triggering the content management policy.".to_owned(),
        ),
        Refusal::RateLimited { after, of, .. } => (
            *of,
            json!("rate_limit_exceeded"),
            format!("Rate limit reached for {of} per min. Please try again in {}s.", after.as_secs_f64()),
        ),
        Refusal::OutOfCredit => (
            "insufficient_quota",
            json!("insufficient_quota"),
            "You exceeded your current quota, please check your plan and billing details.".to_owned(),
        ),
        Refusal::Internal => (
            "server_error",
            Value::Null,
            "The server had an error while processing your request. Sorry about that!".to_owned(),
        ),
        Refusal::Unavailable => (
            "server_error",
            json!("service_unavailable"),
            "The engine is currently overloaded, please try again later.".to_owned(),
        ),
    };
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    let mut response = (refusal.status(), Json(body)).into_response();
    if let Refusal::RateLimited { after, hint, .. } = refusal {
        let mut tell = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        };
        let seconds = after.as_millis().div_ceil(1_000);
        match hint {
            Hint::Seconds => tell("retry-after", seconds.to_string()),
            Hint::Date => {
                // A date has whole seconds: later rather than too early.
                let then = SystemTime::now() + std::time::Duration::from_secs(seconds as u64 + 1);
                tell("retry-after", httpdate::fmt_http_date(then));
            }
            Hint::Milliseconds => {
                tell("retry-after-ms", after.as_millis().to_string());
                tell("retry-after", seconds.to_string());
            }
            Hint::None => {}
        }
    }
    response
}
