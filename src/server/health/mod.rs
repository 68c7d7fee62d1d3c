//! What the server reports about itself.

mod metrics;

pub(in crate::server) use metrics::Metrics;
