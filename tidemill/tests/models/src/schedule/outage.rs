//! Times in which all calls fail.

use serde::{Deserialize, Serialize};

/// A time in which all calls fail, in milliseconds since the start. `ModelServer::now_ms` is the present in this measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// The first millisecond of it.
    pub from_ms: u64,
    /// The first millisecond after it.
    pub to_ms: u64,
    /// Whether new connections are closed at once. Otherwise, and on connections that exist, calls get status 503.
    #[serde(default)]
    pub refuses: bool,
}

impl Outage {
    /// Calls get status 503 from one time to the other.
    pub fn between(from_ms: u64, to_ms: u64) -> Self {
        Self { from_ms, to_ms, refuses: false }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.from_ms >= self.to_ms {
            let Self { from_ms, to_ms, .. } = self;
            return Err(format!("An outage is from {from_ms} to {to_ms} ms. Give the smaller number first."));
        }
        Ok(())
    }
}
