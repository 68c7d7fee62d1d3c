//! What still holds a connection.

use std::{any::Any, fmt, sync::Arc};

/// A connection to the server. It counts among the server's connections until all clones are dropped: HTTP gives a
/// connection away when it becomes a WebSocket.
#[derive(Clone)]
pub(in crate::server) struct Connection(
    #[expect(dead_code, reason = "held, and never read")] Arc<dyn Any + Send + Sync>,
);

impl Connection {
    /// A connection that keeps something as long as it is held.
    pub(in crate::server) fn held_by(kept: impl Any + Send + Sync) -> Self {
        Self(Arc::new(kept))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
