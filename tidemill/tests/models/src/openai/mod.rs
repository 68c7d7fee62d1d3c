//! The protocol of `OpenAI`'s chat completions, which many servers speak.

mod answer;
mod question;
mod refusal;
mod strict;

pub(crate) use answer::{empty, ok_error, pieces, whole};
pub(crate) use question::read;
pub(crate) use refusal::refusal;
