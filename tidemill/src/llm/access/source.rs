//! Where tokens come from: a constant, a file, or a command.

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    Secret,
    renewal::{Token, TokenError, TokenFuture, TokenSource},
};
use crate::clock::{Clock, SystemClock, millis};

/// A token that never changes. For tests, and for programs that end before it expires.
///
/// ```
/// use tidemill::llm::{Gemini, StaticToken};
///
/// let gemini = Gemini::vertex("my-project", "europe-west4", StaticToken::new("…"))?;
/// # Ok::<(), tidemill::llm::SetupError>(())
/// ```
#[derive(Debug)]
pub struct StaticToken(Secret);

impl StaticToken {
    /// Keeps the token. See the example of [`StaticToken`].
    pub fn new(token: impl Into<Secret>) -> Self {
        Self(token.into())
    }
}

impl TokenSource for StaticToken {
    fn token(&self) -> TokenFuture<'_> {
        let token = Token { secret: self.0.clone(), expires_ms: None };
        Box::pin(async { Ok(token) })
    }
}

/// A file that another program keeps up to date, for example a mounted secret. It is read again before each request.
///
/// The file contains the token, or JSON with `access_token` and perhaps `expires_in` in seconds.
///
/// ```
/// use tidemill::llm::{FileToken, Gemini};
///
/// let gemini = Gemini::vertex("my-project", "europe-west4", FileToken::new("/run/secrets/vertex-token"))?;
/// # Ok::<(), tidemill::llm::SetupError>(())
/// ```
#[derive(Debug)]
pub struct FileToken(PathBuf);

impl FileToken {
    /// Reads the token from this file. See the example of [`FileToken`].
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl TokenSource for FileToken {
    fn token(&self) -> TokenFuture<'_> {
        let path = self.0.clone();
        Box::pin(async move {
            let shown = path.display().to_string();
            let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
            let text = match read {
                Ok(Ok(text)) => text,
                Ok(Err(error)) => return Err(TokenError(format!("the file {shown} cannot be read: {error}"))),
                Err(_) => return Err(TokenError(format!("the file {shown} was not read"))),
            };
            // The time of its expiry counts from the time of its writing, which nobody knows.
            parse(&text, None).map(|token| Token { expires_ms: None, ..token })
        })
    }
}

/// The output of a command, for example `gcloud auth print-access-token`.
///
/// The output is the token, or JSON with `access_token` and perhaps `expires_in` in seconds.
///
/// ```
/// use std::time::Duration;
/// use tidemill::llm::{CommandToken, Gemini};
///
/// let command = CommandToken::new("gcloud", ["auth", "print-access-token"]).lifetime(Duration::from_secs(3_600));
/// let gemini = Gemini::vertex("my-project", "europe-west4", command)?;
/// # Ok::<(), tidemill::llm::SetupError>(())
/// ```
#[derive(Debug)]
pub struct CommandToken {
    program: String,
    arguments: Vec<String>,
    lifetime: Duration,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl CommandToken {
    /// Runs this command. A token without `expires_in` is used for half an hour. See the example of [`CommandToken`].
    pub fn new(program: impl Into<String>, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        let (lifetime, timeout) = (Duration::from_secs(1_800), Duration::from_secs(30));
        Self { program: program.into(), arguments, lifetime, timeout, clock: Arc::new(SystemClock) }
    }

    /// How long a token is valid whose output does not tell. See the example of [`CommandToken`].
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }
}

impl TokenSource for CommandToken {
    fn token(&self) -> TokenFuture<'_> {
        let Self { program, arguments, lifetime, timeout, clock } = self;
        Box::pin(async move {
            let mut command = tokio::process::Command::new(program);
            command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
            let asked_ms = clock.now_ms();
            // The command's own texts are not shown, because they may contain the token.
            let output = match tokio::time::timeout(*timeout, command.output()).await {
                Ok(Ok(output)) if output.status.success() => output.stdout,
                Ok(Ok(output)) => return Err(TokenError(format!("{program} failed: {}", output.status))),
                Ok(Err(error)) => return Err(TokenError(format!("{program} cannot be run: {error}"))),
                Err(_) => return Err(TokenError(format!("{program} took too long"))),
            };
            let lifetime = asked_ms + millis(*lifetime);
            let text = String::from_utf8(output).map_err(|_| TokenError(format!("{program} gave no text")))?;
            let token = parse(&text, Some(asked_ms))?;
            Ok(Token { expires_ms: token.expires_ms.or(Some(lifetime)), ..token })
        })
    }
}

/// A token, plain or as clouds give it: in JSON with its lifetime in seconds.
fn parse(text: &str, asked_ms: Option<i64>) -> Result<Token, TokenError> {
    let text = text.trim();
    let (secret, expires_in) = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => {
            let secret = fields.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
            (secret, fields.get("expires_in").and_then(Value::as_i64))
        }
        _ => (text.to_owned(), None),
    };
    if secret.is_empty() || !secret.chars().all(|letter| letter.is_ascii_graphic()) {
        return Err(TokenError("the source gives an empty text, or something that is no token".into()));
    }
    let expires_ms =
        asked_ms.zip(expires_in).map(|(asked, seconds)| asked.saturating_add(seconds.saturating_mul(1_000)));
    Ok(Token { secret: Secret::new(secret), expires_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_plain_or_in_json_and_nothing_else_is_one() {
        let plain = parse("ya29.abc\n", Some(0)).map(|token| (token.secret.expose().to_owned(), token.expires_ms));
        assert_eq!(plain, Ok(("ya29.abc".into(), None)));
        let json = parse(r#"{"access_token":"ya29","expires_in":3599}"#, Some(1));
        assert_eq!(json.map(|token| token.expires_ms), Ok(Some(3_599_001)));
        assert!(parse("", None).is_err());
        assert!(parse("two words", None).is_err());
        assert!(parse(r#"{"error":"no"}"#, None).is_err());
    }

    #[tokio::test]
    async fn the_output_of_a_command_is_a_token_and_its_failure_is_told_without_its_output() {
        let token = CommandToken::new("echo", ["ya29"]).token().await;
        assert!(token.is_ok_and(|token| token.secret.expose() == "ya29" && token.expires_ms.is_some()));
        let error = CommandToken::new("sh", ["-c", "echo secret; exit 3"]).token().await.map(|_| ());
        assert!(error.is_err_and(|error| error.0.contains("exit status: 3") && !error.0.contains("secret")));
    }

    #[tokio::test]
    async fn a_file_is_read_again_each_time() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("token");
        let source = FileToken::new(&path);
        assert!(source.token().await.is_err());
        for text in ["one", "two\n"] {
            std::fs::write(&path, text)?;
            assert!(source.token().await.is_ok_and(|token| token.secret.expose() == text.trim()));
        }
        Ok(())
    }
}
