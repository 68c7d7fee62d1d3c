//! The applications behind HTTP: ingest, live results, state, metrics, erasure.
//!
//! Each group of modules uses only the groups above it: settings, the log, the applications on the log, events in and
//! results out, the rest that clients may ask for, and the HTTP server. A module holds its own handlers.

mod data_folder;
mod error;
mod metrics;
mod settings;
mod wait;

mod checks;

mod log;

mod engine;
mod problem;

mod address;
mod budget;
mod late;

mod access;
mod intake;
mod results;

mod scrub;

mod sources;

mod clips;

mod socket;

mod dead_letters;
mod journal;

mod erase;
mod health;
mod pages;
mod state;

mod http;

pub use data_folder::{DataFolder, DataFolderError};
pub use engine::Engine;
pub use error::EngineError;
pub use http::Server;
pub use intake::{Feed, FeedError};
pub use log::Log;
pub use settings::{AnalystChoice, FormatChoice, Limits, Settings, SourceSettings, Tenant};
