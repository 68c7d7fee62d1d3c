//! Errors of whoever typed the command. They have an exit code of their own.

use anyhow::Error;
use thiserror::Error as ThisError;
use tidemill_apps::server::{DataFolderError, EngineError};

/// Exit code for wrong arguments or a wrong configuration: trying again without a change is useless.
pub(crate) const EXIT: u8 = 2;

/// A command that cannot mean what was typed.
#[derive(Debug, ThisError)]
#[error("{0}")]
struct Usage(String);

/// An error in the arguments.
pub(crate) fn usage(text: impl Into<String>) -> Error {
    Usage(text.into()).into()
}

/// Whether an error comes from arguments or configuration.
pub(crate) fn is_usage(error: &Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.is::<DataFolderError>()
            || matches!(cause.downcast_ref(), Some(EngineError::Settings(_) | EngineError::Folder(_)))
    })
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_wrong_argument_is_known_by_its_cause() {
        let engine = EngineError::Settings(vec!["wrong".to_owned()]);
        assert!(is_usage(&Err::<(), _>(usage("add --yes")).context("reset").expect_err("an error")));
        assert!(is_usage(&Error::from(engine).context("the server does not start")));
        assert!(!is_usage(&anyhow!("the disk is full")));
    }
}
