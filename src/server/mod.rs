//! The applications behind HTTP: ingest, live results, state, metrics, erasure.
//!
//! Each group of modules uses only the groups above it: settings, the log, the applications on the log, the parts that
//! handlers share, the handlers, and the server.

pub mod data_folder;
mod error;
mod settings;

mod log;

mod engine;

mod access;
mod health;
mod problem;

mod erase;
mod intake;
mod pages;
mod results;
mod state;

mod http;

pub use engine::Engine;
pub use error::EngineError;
pub use http::Server;
pub use intake::{Feed, FeedError};
pub use log::Log;
pub use settings::{AnalystChoice, FormatChoice, Limits, Settings, Tenant};
