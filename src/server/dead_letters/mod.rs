//! Calls without an answer: listed, and asked again.

mod again;
mod closed;
mod handlers;
mod letters;

pub(super) use again::DeadLetters;
pub(super) use handlers::{list, replay};
