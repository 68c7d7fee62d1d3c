//! A journal of model calls: requests and their answers, kept for a while to evaluate prompts with them.

mod handler;
mod keeper;
mod lines;

pub(super) use handler::lines;
pub(super) use keeper::Journal;
