//! Live insight: shows, minute by minute, what the audience of a live stream feels, discusses and reacts to.

pub mod analysis;
mod application;
pub mod frames;
mod highlights;
pub mod history;
mod model;
mod mood;
pub mod outlook;
mod request;
mod topics;
mod topology;
mod trend;
mod views;
mod withdrawals;

pub use application::APPLICATION;
pub(crate) use application::{MESSAGE, VIEWER};
pub use model::{LiveTask, PROMPT};
pub use request::{InsightRequest, OfflineLive};
pub use topics::{ALERTS, CHAT, CLIPS, DEAD_LETTERS, ERASED, ERASURES, INSIGHTS, LATE, TRANSCRIPT, WITHDRAWALS};
pub use topology::{call, topology};
