//! Form coach: gives feedback on an exercise while the athlete does it.

pub mod analysis;
mod application;
mod cut;
mod frames;
mod model;
mod progress;
mod request;
mod topics;
mod topology;

pub use application::APPLICATION;
pub use model::{FormTask, PROMPT};
pub use request::{FeedbackRequest, OfflineForm, Verdict};
pub use topics::{DEAD_LETTERS, ERASED, ERASURES, FEEDBACK, LATE, POSE, PROFILES};
pub use topology::{call, topology};
