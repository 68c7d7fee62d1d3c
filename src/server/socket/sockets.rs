//! What WebSockets need of the server.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::server::{
    clips::Clipping,
    results::{Results, Views},
    sources::Sources,
};

/// The longest message of a page.
pub(super) const MESSAGE_BYTES: usize = 16 << 10;
/// The most bytes that wait for a page that does not read. The largest answer fits.
pub(super) const UNSENT_BYTES: usize = 16 << 20;

/// What WebSockets need.
pub(in crate::server) struct Sockets {
    pub(in crate::server) results: Arc<Results>,
    pub(in crate::server) views: Arc<Views>,
    pub(in crate::server) sources: Arc<Sources>,
    pub(in crate::server) clips: Arc<Clipping>,
    /// Other origins whose pages may open a WebSocket.
    pub(in crate::server) origins: Vec<String>,
    /// How long a page may be silent, although it is pinged four times in this time. It has half of this time to take a
    /// message.
    pub(in crate::server) idle_timeout: Duration,
    /// WebSockets are closed when it becomes true.
    pub(in crate::server) closing: watch::Receiver<bool>,
}
