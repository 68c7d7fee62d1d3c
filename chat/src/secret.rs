//! API keys and tokens, which never show themselves.

use std::{env, fmt, fs, path::PathBuf};

use thiserror::Error;

use crate::ChatError;

/// Where an API key or a token comes from. The value is read at each use, so that a new token counts without a restart.
///
/// ```
/// use tidemill_chat::Secret;
///
/// let secret = Secret::value("top-secret");
/// assert_eq!(format!("{secret:?}"), "Secret(value)");
/// ```
#[derive(Clone)]
pub struct Secret(Origin);

#[derive(Clone)]
enum Origin {
    Value(String),
    Environment(String),
    File(PathBuf),
    Command(Vec<String>),
}

/// Why a secret cannot be read. The text names where it should be, not what it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SecretError(String);

impl From<SecretError> for ChatError {
    fn from(SecretError(reason): SecretError) -> Self {
        Self::refused(reason, "give the secret, then start the source again")
    }
}

impl Secret {
    /// A secret that is known already.
    pub fn value(value: impl Into<String>) -> Self {
        Self(Origin::Value(value.into()))
    }

    /// A secret in an environment variable.
    pub fn environment(name: impl Into<String>) -> Self {
        Self(Origin::Environment(name.into()))
    }

    /// A secret in a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Origin::File(path.into()))
    }

    /// A secret that a program prints: its name and its arguments. No shell takes part.
    pub fn command<I: IntoIterator<Item = S>, S: Into<String>>(words: I) -> Self {
        Self(Origin::Command(words.into_iter().map(Into::into).collect()))
    }

    /// Reads the secret; white space around it does not count.
    ///
    /// # Errors
    /// If the variable, the file or the program is missing, or if it holds nothing.
    pub async fn read(&self) -> Result<String, SecretError> {
        let text = match &self.0 {
            Origin::Value(value) => value.clone(),
            Origin::Environment(name) => env::var(name).map_err(|_| {
                SecretError(format!("the environment variable {name} is missing: set it to the secret"))
            })?,
            Origin::File(path) => fs::read_to_string(path).map_err(|error| {
                SecretError(format!("the secret's file {} cannot be read: {error}", path.display()))
            })?,
            Origin::Command(words) => run(words).await?,
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError(format!("the secret is empty: look at its {}", self.origin())));
        }
        if text.chars().any(char::is_control) {
            return Err(SecretError(format!("the secret holds several lines: look at its {}", self.origin())));
        }
        Ok(text.to_owned())
    }

    /// Whether a later reading can bring another secret: a file may be written anew, and a program may print a new token.
    pub fn renews(&self) -> bool {
        matches!(self.0, Origin::File(_) | Origin::Command(_))
    }

    fn origin(&self) -> String {
        match &self.0 {
            Origin::Value(_) => "value".to_owned(),
            Origin::Environment(name) => format!("environment variable {name}"),
            Origin::File(path) => format!("file {}", path.display()),
            Origin::Command(words) => format!("command {}", words.first().map_or("", String::as_str)),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.origin())
    }
}

/// Runs a program and returns what it printed. Its errors are not shown, because they may hold the secret.
async fn run(words: &[String]) -> Result<String, SecretError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(SecretError("the secret's command is empty: give a program".to_owned()));
    };
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| SecretError(format!("the secret's command {program} cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(SecretError(format!("the secret's command {program} failed with {}", output.status)));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| SecretError(format!("the secret's command {program} printed something that is no text")))
}
