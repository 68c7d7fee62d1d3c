//! Where a secret comes from, and which addresses may receive it.

use std::path::PathBuf;

use tidemill_chat::Secret;

/// The settings of one secret, of which one may be given.
#[derive(Default)]
pub(super) struct Origins {
    pub(super) value: Option<String>,
    pub(super) file: Option<PathBuf>,
    pub(super) command: Option<String>,
}

/// More than one setting of a secret is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Several;

impl Origins {
    /// The secret, if there is one.
    pub(super) fn only(&self) -> Result<Option<Secret>, Several> {
        match (&self.value, &self.file, &self.command) {
            (None, None, None) => Ok(None),
            (Some(value), None, None) => Ok(Some(Secret::value(value))),
            (None, Some(file), None) => Ok(Some(Secret::file(file))),
            (None, None, Some(command)) => Ok(Some(Secret::command(command.split_whitespace()))),
            _ => Err(Several),
        }
    }
}

/// Whether a secret can be sent to an address safely: encrypted, or without leaving this machine.
pub(super) fn travel_safely(url: &str) -> bool {
    let here = ["127.0.0.1", "localhost", "[::1]"];
    match url.split_once("://") {
        Some(("https", _)) => true,
        // The text before an @ is a user, not a host.
        Some(("http", rest)) if rest.contains('@') => false,
        Some(("http", rest)) => here.iter().filter_map(|host| rest.strip_prefix(host)).any(ends_a_host),
        _ => false,
    }
}

/// Whether the name of a host ends where `rest` begins.
fn ends_a_host(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([':', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_this_machine_only_encrypted() {
        for safe in ["https://example.org", "http://localhost:8081", "http://127.0.0.1/v1", "http://[::1]"] {
            assert!(travel_safely(safe), "{safe}");
        }
        let open = ["http://example.org", "http://localhost.example.org", "http://localhost:80@example.org", "ftp://x"];
        for open in open {
            assert!(!travel_safely(open), "{open}");
        }
    }
}
