//! A key or token, and whether its service takes it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_remote::Secret;

use crate::SpeechError;

/// A secret that one service is shown. It is read when it is needed first.
///
/// A secret from a file or a command can be renewed: after the service has refused a value that used to work, it is read
/// again.
#[derive(Clone)]
pub struct Credential(Arc<Inner>);

struct Inner {
    secret: Secret,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    value: Option<String>,
    /// Whether the service has ever taken a value.
    proven: bool,
}

impl From<Secret> for Credential {
    fn from(secret: Secret) -> Self {
        Self(Arc::new(Inner { secret, kept: Mutex::default() }))
    }
}

impl Credential {
    /// The secret, read from its origin the first time.
    pub(crate) async fn reveal(&self) -> Result<String, SpeechError> {
        if let Some(value) = &self.kept().value {
            return Ok(value.clone());
        }
        let value = self.0.secret.read().await.map_err(|error| {
            // A command that never worked is wrong. One that used to work may only miss its own service.
            if error.passes && self.kept().proven {
                SpeechError::transient(error.reason)
            } else {
                SpeechError::refused(error.reason, error.remedy)
            }
        })?;
        self.kept().value = Some(value.clone());
        Ok(value)
    }

    /// Says that the service took the secret.
    pub(crate) fn proven(&self) {
        self.kept().proven = true;
    }

    /// Says that the service refused this value. Whether reading the secret again may help: it used to work, and its origin
    /// can have another one.
    pub(crate) fn refused(&self, value: &str) -> bool {
        let mut kept = self.kept();
        if !(self.0.secret.renews() && kept.proven) {
            return false;
        }
        // Another session may have read it again in the meantime.
        if kept.value.as_deref() == Some(value) {
            kept.value = None;
        }
        true
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the secret comes from.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.secret.fmt(f)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_that_used_to_work_is_read_again_after_it_was_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").expect("a file");
        let secret = Credential::from(Secret::file(&path));
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
        let fixed = Credential::from(Secret::value("key"));
        fixed.proven();
        assert!(!fixed.refused("key"), "a fixed key stays the same");
    }
}
