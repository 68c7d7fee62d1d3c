//! Calls without an answer: listed, and asked again. Records that could not be processed: listed, and replayed.

mod again;
mod closed;
mod handlers;
mod letters;
pub(super) mod records;

pub(super) use again::DeadLetters;
pub(super) use handlers::{list, replay};
