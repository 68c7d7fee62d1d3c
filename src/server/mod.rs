//! The applications behind HTTP: ingest, live results, state, metrics, erasure.

mod settings;

mod caller;
mod engine;
mod topics;

mod access;
mod erase;
mod events;
mod forward;
mod http;
mod hub;
mod ingest;
mod inspect;
mod metrics;
mod pages;
mod pressure;
mod problem;

pub use engine::{Engine, EngineError};
pub use http::Server;
pub use pages::recordings;
pub use settings::{AnalystChoice, App, Limits, Settings, Tenant};
