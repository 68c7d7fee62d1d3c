//! Gemini's protocol: `generateContent` and `streamGenerateContent`.

mod answer;
mod known;
mod question;
mod refusal;

pub(crate) use answer::{empty, ok_error, pieces, whole};
pub(crate) use question::read;
pub(crate) use refusal::refusal;
