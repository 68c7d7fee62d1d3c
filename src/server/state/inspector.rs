//! Reads the state of the applications.

use std::sync::Arc;

use crate::server::{engine::Engine, intake::Pressure, sources::Sources};

/// Reads the state of the applications, here and in other instances.
pub(in crate::server) struct Inspector {
    pub(in crate::server) engine: Arc<Engine>,
    pub(in crate::server) pressure: Arc<Pressure>,
    pub(in crate::server) sources: Arc<Sources>,
    /// The client for requests to other instances.
    pub(in crate::server) http: reqwest::Client,
}
