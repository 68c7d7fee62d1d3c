//! What Gemini's errors mean.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::llm::{
    error::{ModelError, ModelErrorKind},
    http,
};

/// Interprets an error: `{"error": {"code", "status", "details"}}`, also in an array.
pub(super) fn error(status: StatusCode, pause: Option<Duration>, body: &Value) -> ModelError {
    let error = body.get(0).unwrap_or(body).get("error").unwrap_or(&Value::Null);
    // An error within a stream has status 200 and its own code.
    let own = error["code"].as_u64().and_then(|code| StatusCode::from_u16(code as u16).ok());
    let status = own.filter(|own| !own.is_success()).unwrap_or(status);
    let code = http::code(error.get("status"), status);
    let details = || error["details"].as_array().into_iter().flatten();
    let asked = details().find_map(|detail| {
        let seconds: f64 = detail["retryDelay"].as_str()?.strip_suffix('s')?.parse().ok()?;
        http::in_seconds(seconds)
    });
    let retry_after = pause.or(asked);
    let message = error["message"].as_str().unwrap_or_default();
    match status.as_u16() {
        400 if details().any(|detail| detail["reason"] == "API_KEY_INVALID") => ModelErrorKind::Unauthorized { code },
        400 if message.contains("token count") && message.contains("exceed") => ModelErrorKind::TooLarge { code },
        401 | 403 => ModelErrorKind::Unauthorized { code },
        413 => ModelErrorKind::TooLarge { code },
        429 => ModelErrorKind::RateLimited { retry_after, daily: details().any(is_daily), code },
        408 | 425 | 499 | 500.. => ModelErrorKind::Unavailable { retry_after, code },
        _ => ModelErrorKind::Refused { code },
    }
    .into()
}

/// Whether a detail is about a quota of a day. The text of the error is the same for a minute's.
fn is_daily(detail: &Value) -> bool {
    let violations = detail["violations"].as_array().into_iter().flatten();
    let ids = violations.flat_map(|violation| [&violation["quotaId"], &violation["quotaMetric"]]);
    let limit = &detail["metadata"]["quota_limit"];
    ids.chain([limit]).any(|id| id.as_str().is_some_and(|id| id.contains("PerDay") || id.contains("per_day")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(status: u16, body: &Value) -> ModelErrorKind {
        error(StatusCode::from_u16(status).unwrap_or_default(), None, body).kind
    }

    fn exhausted(quota: &str) -> Value {
        json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota", "details": [
            { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{ "quotaId": quota }] },
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.5s" },
        ] } })
    }

    #[test]
    fn a_daily_quota_is_told_apart_from_a_minutes_although_both_name_a_short_pause() {
        let pause = Some(Duration::from_millis(36_500));
        let code = || "HTTP 429, RESOURCE_EXHAUSTED".to_owned();
        let minute = kind(429, &exhausted("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"));
        assert_eq!(minute, ModelErrorKind::RateLimited { retry_after: pause, daily: false, code: code() });
        let day = kind(429, &exhausted("GenerateRequestsPerDayPerProjectPerModel-FreeTier"));
        assert_eq!(day, ModelErrorKind::RateLimited { retry_after: pause, daily: true, code: code() });
    }

    #[test]
    fn an_error_in_an_array_is_read_too() {
        let body = json!([{ "error": { "code": 503, "status": "UNAVAILABLE" } }]);
        let code = "HTTP 503, UNAVAILABLE".into();
        assert_eq!(kind(503, &body), ModelErrorKind::Unavailable { retry_after: None, code });
    }

    #[test]
    fn each_status_says_what_to_do_and_never_quotes_the_request() {
        let quoting = |status: &str, message: &str| json!({ "error": { "status": status, "message": message } });
        let key = json!({ "error": { "status": "INVALID_ARGUMENT", "details": [{ "reason": "API_KEY_INVALID" }] } });
        assert!(matches!(kind(400, &key), ModelErrorKind::Unauthorized { .. }));
        let long = quoting("INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens");
        assert!(matches!(kind(400, &long), ModelErrorKind::TooLarge { .. }));
        assert!(matches!(kind(404, &Value::Null), ModelErrorKind::Refused { .. }));
        assert!(matches!(kind(307, &Value::Null), ModelErrorKind::Refused { .. }));
        let quote = kind(403, &quoting("Ann said: no", "key AIza and Ann's line"));
        assert_eq!(quote.to_string(), "the model's service refused the key or the token (HTTP 403)");
    }
}
