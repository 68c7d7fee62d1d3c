//! Keys and tokens, which never show themselves.

use std::{env, fmt, path::PathBuf, process::Stdio, time::Duration};

use thiserror::Error;
use tokio::{fs, process::Command, time::timeout};

/// How long a command may take.
const COMMAND: Duration = Duration::from_mins(1);

/// Where a key or a token comes from. Neither its debug output nor an error shows it.
///
/// The value is read at each use, so that a new token counts without a restart.
///
/// ```
/// use tidemill_remote::Secret;
///
/// let secret = Secret::value("top-secret");
/// assert_eq!(format!("{secret:?}"), "Secret(the setting)");
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
#[error("{reason}: {remedy}")]
pub struct SecretError {
    /// What happened, for a person.
    pub reason: String,
    /// What the person should do.
    pub remedy: String,
    /// Whether a later attempt can succeed although nobody does anything.
    pub passes: bool,
}

impl Secret {
    /// The secret itself.
    pub fn value(secret: impl Into<String>) -> Self {
        Self(Origin::Value(secret.into()))
    }

    /// The secret in this environment variable.
    pub fn environment(name: impl Into<String>) -> Self {
        Self(Origin::Environment(name.into()))
    }

    /// The secret in this file, without the white space around it.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Origin::File(path.into()))
    }

    /// The secret that a program prints: its name and its arguments, for example `gcloud auth print-access-token`. No
    /// shell takes part. The program may take a minute.
    pub fn command<I: IntoIterator<Item = S>, S: Into<String>>(words: I) -> Self {
        Self(Origin::Command(words.into_iter().map(Into::into).collect()))
    }

    /// Reads the secret. White space around it does not count.
    ///
    /// # Errors
    /// If the variable, the file or the program is missing, if the program fails, or if there is not one line of text.
    pub async fn read(&self) -> Result<String, SecretError> {
        let text = match &self.0 {
            Origin::Value(value) => value.clone(),
            Origin::Environment(name) => {
                env::var(name).map_err(|_| self.error("is not set", "set it to the key or token"))?
            }
            Origin::File(path) => fs::read_to_string(path)
                .await
                .map_err(|error| self.error(format!("cannot be read ({error})"), "check its path and permissions"))?,
            Origin::Command(words) => self.run(words).await?,
        };
        let text = text.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(self.error("holds no usable secret", "put the key or token there, on one line"));
        }
        Ok(text.to_owned())
    }

    /// Whether a later reading can bring another secret: a file may be written anew, and a program may print a new token.
    pub fn renews(&self) -> bool {
        matches!(self.0, Origin::File(_) | Origin::Command(_))
    }

    /// Runs a program and returns what it printed. Its errors are not shown, because they may hold the secret.
    async fn run(&self, words: &[String]) -> Result<String, SecretError> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(self.error("is empty", "give the program and its arguments"));
        };
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
        let passes = |error: SecretError| SecretError { passes: true, ..error };
        let output = timeout(COMMAND, output)
            .await
            .map_err(|_| passes(self.error("does not end", "run it by hand to see why")))?
            .map_err(|error| self.error(format!("cannot be run ({error})"), "check that it is installed"))?;
        if !output.status.success() {
            // Its own service may be away.
            return Err(passes(self.error(format!("failed ({})", output.status), "run it by hand to see why")));
        }
        String::from_utf8(output.stdout).map_err(|_| self.error("printed no text", "run it by hand to see why"))
    }

    fn error(&self, what: impl fmt::Display, remedy: &str) -> SecretError {
        SecretError { reason: format!("{self} {what}"), remedy: remedy.to_owned(), passes: false }
    }
}

/// Where the secret comes from.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Value(_) => write!(f, "the setting"),
            Origin::Environment(name) => write!(f, "the environment variable {name}"),
            Origin::File(path) => write!(f, "the file {}", path.display()),
            // Arguments of a command may be secret themselves.
            Origin::Command(words) => write!(f, "the command {}", words.first().map_or("", String::as_str)),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn neither_debug_output_nor_errors_show_a_secret() {
        let secret = Secret::value("hunter2\n");
        assert_eq!(secret.read().await, Ok("hunter2".to_owned()));
        assert!(!format!("{secret:?} {secret}").contains("hunter2"));
        let command = Secret::command(["false", "--password=hunter2"]);
        let error = command.read().await.expect_err("the command fails");
        assert!(error.passes && !format!("{error} {error:?} {command:?}").contains("hunter2"), "{error}");
        let lines = Secret::value("hunter\n2").read().await.expect_err("two lines");
        assert!(!lines.to_string().contains("hunter"), "{lines}");
    }

    #[tokio::test]
    async fn what_is_missing_says_what_to_do() {
        let error = Secret::environment("TIDEMILL_NO_SUCH_KEY").read().await.expect_err("it is not set");
        let told = "the environment variable TIDEMILL_NO_SUCH_KEY is not set: set it to the key or token";
        assert_eq!((error.to_string().as_str(), error.passes), (told, false));
        let error = Secret::command(["true"]).read().await.expect_err("it writes nothing");
        assert!(error.to_string().contains("the command true holds no usable secret"), "{error}");
        let error = Secret::command([""; 0]).read().await.expect_err("there is no program");
        assert!(error.to_string().contains("is empty"), "{error}");
    }

    #[tokio::test]
    async fn a_file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let secret = Secret::file(&path);
        assert!(secret.read().await.expect_err("there is no file").reason.contains("cannot be read"));
        for token in ["first", "second"] {
            std::fs::write(&path, format!(" {token}\n")).expect("a file");
            assert_eq!(secret.read().await, Ok(token.to_owned()));
        }
        assert!(secret.renews() && !Secret::value("key").renews());
    }
}
