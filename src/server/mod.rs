//! The applications behind HTTP: ingest, live results, state, metrics, erasure.
//!
//! Each group of modules uses only the groups above it: settings, the log, the applications on the log, the parts that
//! handlers share, the handlers, and the server.

pub mod data_folder;
mod error;
mod settings;

mod log;
mod schemas;
mod topics;

mod engine;

mod access;
mod hub;
mod intake;
mod metrics;
mod pressure;
mod problem;
mod shared;

mod erase;
mod events;
mod forward;
mod ingest;
mod inspect;
mod pages;

mod routes;

mod feed;
mod http;

pub use engine::Engine;
pub use error::EngineError;
pub use feed::{Feed, FeedError};
pub use http::Server;
pub use log::Log;
pub use settings::{AnalystChoice, FormatChoice, Limits, Settings, Tenant};
