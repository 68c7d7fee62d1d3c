//! Events that come in: over HTTP or from a player, read in each topic's format, within the server's limits.

mod body;
mod feed;
mod ingest;
mod pressure;
mod readers;
mod withdraw;
mod write;

pub(super) use body::{check_json, json, unmarked};
pub use feed::{Feed, FeedError};
pub(super) use ingest::{Request, events, property};
pub(super) use pressure::Pressure;
pub(super) use withdraw::{Named, withdraw};
pub(super) use write::Intake;
