//! The applications that ship with Tidemill.

mod analyst;
mod erasure;
pub mod form_coach;
mod format;
pub mod gemini;
pub mod live_insight;
pub mod recordings;
mod request;

pub use gemini::http_client;

pub use analyst::{Analyst, AnalystError, Answer};
pub(crate) use erasure::Erase;
pub use erasure::{Erased, Erasure};
pub use format::{Format, Wire};
pub(crate) use request::{answer_now, evenly, to_call_error};
