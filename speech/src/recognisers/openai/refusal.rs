//! What a server answers instead of words, and what has to be done about it.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::SpeechError;
use crate::error::shorten;

/// The longest pause that a server may ask for. A longer one is a mistake, or nothing to wait for.
const LONGEST: Duration = Duration::from_secs(600);

/// An answer without words.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    retry_after: Option<Duration>,
    code: String,
    message: String,
}

impl Refusal {
    /// Reads an answer. Servers differ: `{"error": {"message", "code"}}`, `{"error": "…"}`, `{"detail": "…"}`, a page.
    pub(super) fn read(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let message = [&json["error"]["message"], &json["error"], &json["detail"], &json["message"]];
        let message = message.into_iter().find_map(text).unwrap_or_default();
        let code = text(&json["error"]["code"]).or_else(|| text(&json["error"]["type"])).unwrap_or_default();
        Self { status, retry_after, code, message: shorten(&message) }
    }

    /// Whether the model cannot give times.
    pub(super) fn is_about_format(&self) -> bool {
        let asked = ["response_format", "verbose_json", "timestamp_granularities"];
        self.status == StatusCode::BAD_REQUEST && asked.iter().any(|word| self.message.contains(word))
    }

    /// Whether the key is wrong or has expired.
    pub(super) fn is_about_key(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// The error for the transcriber.
    pub(super) fn into_error(self, model: &str, key: Option<&str>) -> SpeechError {
        let reason = match (self.status, self.message.is_empty()) {
            (status, true) => format!("the server of transcriptions answers {status}"),
            // The message of a wrong key may quote it.
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, false) => {
                format!("the server of transcriptions answers {}", self.status)
            }
            (status, false) => format!("the server of transcriptions answers {status}: {}", self.message),
        };
        let says = |word: &str| self.message.to_ascii_lowercase().contains(word);
        match self.status.as_u16() {
            401 | 403 => SpeechError::refused(
                reason,
                match key {
                    Some(place) => format!("check the key in {place} and its rights"),
                    None => "give it a key".to_owned(),
                },
            ),
            429 if self.code == "insufficient_quota" => SpeechError::refused(reason, "raise the limit of the account"),
            408 | 409 | 425 | 429 => SpeechError::Transient { reason, retry_after: self.retry_after },
            413 | 415 | 422 => SpeechError::Unusable { reason },
            400 if self.code.starts_with("audio") || says("audio") || says("file") => SpeechError::Unusable { reason },
            300..400 => SpeechError::refused(reason, "set the address to which it leads"),
            404 => SpeechError::refused(reason, format!("check the address, and that it has the model '{model}'")),
            400..500 => SpeechError::refused(reason, "check the model and the language"),
            _ => SpeechError::Transient { reason, retry_after: self.retry_after },
        }
    }
}

/// The pause that a server asks for: seconds or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok()?,
    };
    Some(pause.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> SpeechError {
        let status = StatusCode::from_u16(status).expect("a status");
        Refusal::read(status, None, body.as_bytes()).into_error("whisper-1", Some("the file key"))
    }

    #[test]
    fn an_answer_says_whether_waiting_helps() {
        assert!(matches!(error(503, "<html>"), SpeechError::Transient { .. }));
        assert!(matches!(error(429, r#"{"error":{"code":"rate_limit_exceeded"}}"#), SpeechError::Transient { .. }));
        assert!(matches!(error(429, r#"{"error":{"code":"insufficient_quota"}}"#), SpeechError::Refused { .. }));
        assert!(matches!(error(413, ""), SpeechError::Unusable { .. }));
        let short = r#"{"error":{"message":"Audio file is too short.","code":"audio_too_short"}}"#;
        assert!(matches!(error(400, short), SpeechError::Unusable { .. }));
        assert!(matches!(error(400, r#"{"detail":"no such language"}"#), SpeechError::Refused { .. }));
        assert!(matches!(error(404, ""), SpeechError::Refused { .. }));
    }

    #[test]
    fn a_wrong_key_is_not_repeated() {
        let error = error(401, r#"{"error":{"message":"Incorrect API key provided: sk-hunter2."}}"#).to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("check the key in the file key"), "{error}");
    }

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let pause = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("a header"));
            retry_after(&headers)
        };
        assert_eq!(pause("1.5"), Some(Duration::from_millis(1_500)));
        assert_eq!(pause("99999999999"), Some(LONGEST));
        assert_eq!(pause("-1"), None);
        assert_eq!(pause("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(pause("soon"), None);
    }
}
