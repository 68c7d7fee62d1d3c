//! The applications behind HTTP: ingest, live results, state, metrics, erasure.

mod settings;

mod caller;
mod engine;
mod log;
mod schemas;
mod topics;

mod access;
mod erase;
mod events;
mod feed;
mod forward;
mod http;
mod hub;
mod ingest;
mod input;
mod inspect;
mod metrics;
mod pages;
mod pressure;
mod problem;

pub use engine::{Engine, EngineError};
pub use feed::{Feed, FeedError};
pub use http::Server;
pub use input::Input;
pub use log::Log;
pub use pages::recordings;
pub use settings::{AnalystChoice, App, FormatChoice, Limits, Settings, Tenant};
