//! Keys and tokens, which never show themselves.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Command;

use crate::SpeechError;

/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(60);

/// A key or token. Neither its debug output nor an error shows it.
///
/// A secret from a file or a command can be renewed: after the service has refused a secret that used to work, it is read
/// again.
#[derive(Clone)]
pub struct Secret(Arc<Inner>);

struct Inner {
    source: Source,
    kept: Mutex<Kept>,
}

enum Source {
    Value(String),
    Environment(String),
    File(PathBuf),
    Command(Vec<String>),
}

#[derive(Default)]
struct Kept {
    value: Option<String>,
    /// Whether the service has ever taken a value.
    proven: bool,
}

impl Secret {
    /// The secret itself.
    pub fn value(secret: impl Into<String>) -> Self {
        Self::of(Source::Value(secret.into()))
    }

    /// The secret in this environment variable.
    pub fn environment(name: impl Into<String>) -> Self {
        Self::of(Source::Environment(name.into()))
    }

    /// The secret in this file, without the white space around it.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Source::File(path.into()))
    }

    /// The secret that this command writes: the program and its arguments, for example
    /// `gcloud auth print-access-token`.
    pub fn command<T: Into<String>>(command: impl IntoIterator<Item = T>) -> Self {
        Self::of(Source::Command(command.into_iter().map(Into::into).collect()))
    }

    fn of(source: Source) -> Self {
        Self(Arc::new(Inner { source, kept: Mutex::default() }))
    }

    /// The secret, read from its source the first time.
    pub(crate) async fn reveal(&self) -> Result<String, SpeechError> {
        if let Some(value) = &self.kept().value {
            return Ok(value.clone());
        }
        let value = self.read().await?.trim().to_owned();
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(SpeechError::refused(
                format!("{} holds no usable secret", self.place()),
                "put the key or token there, on one line",
            ));
        }
        self.kept().value = Some(value.clone());
        Ok(value)
    }

    /// Says that the service took the secret.
    pub(crate) fn proven(&self) {
        self.kept().proven = true;
    }

    /// Says that the service refused this value. Whether reading the secret again may help: it used to work, and its source
    /// can have another one.
    pub(crate) fn refused(&self, value: &str) -> bool {
        let mut kept = self.kept();
        let renewable = matches!(self.0.source, Source::File(_) | Source::Command(_));
        if !(renewable && kept.proven) {
            return false;
        }
        // Another session may have read it again in the meantime.
        if kept.value.as_deref() == Some(value) {
            kept.value = None;
        }
        true
    }

    /// Where the secret comes from, for messages.
    pub(crate) fn place(&self) -> String {
        match &self.0.source {
            Source::Value(_) => "the setting".to_owned(),
            Source::Environment(name) => format!("the environment variable {name}"),
            Source::File(path) => format!("the file {}", path.display()),
            // Arguments of a command may be secret themselves.
            Source::Command(command) => {
                format!("the command {}", command.first().map_or("", String::as_str))
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self) -> Result<String, SpeechError> {
        let unreadable = |why: String, remedy: &str| SpeechError::refused(format!("{} {why}", self.place()), remedy);
        match &self.0.source {
            Source::Value(value) => Ok(value.clone()),
            Source::Environment(name) => {
                std::env::var(name).map_err(|_| unreadable("is not set".to_owned(), "set it to the key or token"))
            }
            Source::File(path) => tokio::fs::read_to_string(path)
                .await
                .map_err(|error| unreadable(format!("cannot be read ({error})"), "check its path and permissions")),
            Source::Command(command) => {
                let (program, arguments) = command
                    .split_first()
                    .ok_or_else(|| unreadable("is empty".to_owned(), "give the program and its arguments"))?;
                let output = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
                let output = tokio::time::timeout(COMMAND, output)
                    .await
                    .map_err(|_| SpeechError::transient(format!("{} does not end", self.place())))?
                    .map_err(|error| unreadable(format!("cannot be run ({error})"), "check that it is installed"))?;
                if !output.status.success() {
                    let failed = format!("failed ({})", output.status);
                    // A command that used to work may only miss its own service.
                    if self.kept().proven {
                        return Err(SpeechError::transient(format!("{} {failed}", self.place())));
                    }
                    return Err(unreadable(failed, "run it by hand to see why"));
                }
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn neither_debug_output_nor_errors_show_a_secret() {
        let secret = Secret::value("hunter2\n");
        assert_eq!(secret.reveal().await.expect("a value"), "hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        let command = Secret::command(["false", "--password=hunter2"]);
        let error = command.reveal().await.expect_err("the command fails");
        assert!(!format!("{error} {command:?}").contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_variable_and_an_empty_output_say_what_to_do() {
        let error = Secret::environment("TIDEMILL_NO_SUCH_KEY").reveal().await.expect_err("it is not set");
        assert_eq!(
            error.to_string(),
            "the environment variable TIDEMILL_NO_SUCH_KEY is not set: set it to the key or token"
        );
        let error = Secret::command(["true"]).reveal().await.expect_err("it writes nothing");
        assert!(error.to_string().contains("the command true holds no usable secret"), "{error}");
    }

    #[tokio::test]
    async fn a_token_that_used_to_work_is_read_again_after_it_was_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").expect("a file");
        let secret = Secret::file(&path);
        assert_eq!(secret.reveal().await.expect("a token"), "first");
        assert!(!secret.refused("first"), "a token that never worked is wrong");
        secret.proven();
        std::fs::write(&path, "second\n").expect("a file");
        assert_eq!(secret.reveal().await.expect("a token"), "first");
        assert!(secret.refused("first"));
        assert_eq!(secret.reveal().await.expect("a token"), "second");
        assert!(secret.refused("first"), "another session's refusal comes late");
        std::fs::write(&path, "third\n").expect("a file");
        assert_eq!(secret.reveal().await.expect("a token"), "second");
        let fixed = Secret::value("key");
        fixed.proven();
        assert!(!fixed.refused("key"), "a fixed key stays the same");
    }
}
