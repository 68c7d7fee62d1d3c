//! Writes errors.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use crate::refusal::{GATEWAY_PAGE, Refusal};
use crate::schedule::Hint;

/// An error as Google's APIs send it. Vertex AI says `UNAUTHENTICATED` where the Gemini API has other words.
pub(crate) fn refusal(refusal: &Refusal, vertex: bool) -> Response {
    let (status, name, message) = match refusal {
        Refusal::GatewayPage => return (StatusCode::BAD_GATEWAY, Html(GATEWAY_PAGE)).into_response(),
        Refusal::NoKey | Refusal::BadKey if vertex => (
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
             authentication credential."
                .to_owned(),
        ),
        Refusal::NoKey => (
            StatusCode::FORBIDDEN,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
             other form of API consumer identity to call this API."
                .to_owned(),
        ),
        Refusal::BadKey => (
            StatusCode::BAD_REQUEST,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.".to_owned(),
        ),
        Refusal::BadRequest(problem) => (refusal.status(), "INVALID_ARGUMENT", problem.clone()),
        Refusal::BlockedPrompt => (refusal.status(), "INVALID_ARGUMENT", "The prompt is blocked.".to_owned()),
        Refusal::NoModel(model) => (
            refusal.status(),
            "NOT_FOUND",
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call \
                 ListModels to see the list of available models and their supported methods."
            ),
        ),
        Refusal::NoPath(path) => (refusal.status(), "NOT_FOUND", format!("The path {path} does not exist.")),
        Refusal::RateLimited { after, .. } => (
            refusal.status(),
            "RESOURCE_EXHAUSTED",
            format!(
                "You exceeded your current quota, please check your plan and billing details. Please retry in {}s.",
                after.as_secs_f64()
            ),
        ),
        Refusal::OutOfCredit => (
            refusal.status(),
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.".to_owned(),
        ),
        Refusal::Internal => (
            refusal.status(),
            "INTERNAL",
            "An internal error has occurred. Please retry or report in \
             https://developers.generativeai.google/guide/troubleshooting"
                .to_owned(),
        ),
        Refusal::Unavailable => {
            (refusal.status(), "UNAVAILABLE", "The model is overloaded. Please try again later.".to_owned())
        }
    };
    let mut error = json!({"code": status.as_u16(), "message": message, "status": name});
    let details = details(refusal, vertex);
    if !details.is_empty() {
        error["details"] = Value::Array(details);
    }
    (status, Json(json!({"error": error}))).into_response()
}

fn details(refusal: &Refusal, vertex: bool) -> Vec<Value> {
    match refusal {
        Refusal::BadKey if !vertex => vec![json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID", "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"}})],
        Refusal::RateLimited { after, hint, of } => {
            let quota = match *of {
                "tokens" => "GenerateContentInputTokensPerModelPerMinute",
                _ => "GenerateRequestsPerMinutePerProjectPerModel",
            };
            let mut details = vec![quota_failure(quota)];
            if *hint != Hint::None {
                details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo",
                    "retryDelay": duration(after.as_millis())}));
            }
            details
        }
        Refusal::OutOfCredit => vec![quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier")],
        _ => Vec::new(),
    }
}

fn quota_failure(quota: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests", "quotaId": quota,
        "quotaDimensions": {"location": "global"}}]})
}

/// A duration as protocol buffers write it in JSON: "3s", "0.250s".
fn duration(ms: u128) -> String {
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    if rest == 0 { format!("{seconds}s") } else { format!("{seconds}.{rest:03}s") }
}
