//! Events that come in: over HTTP or from a player, read in each topic's format, within the server's limits.

mod feed;
mod ingest;
mod pressure;
mod readers;

pub use feed::{Feed, FeedError};
pub(in crate::server) use ingest::{Request, events, property};
pub(in crate::server) use pressure::Pressure;
pub(in crate::server) use readers::Intake;
