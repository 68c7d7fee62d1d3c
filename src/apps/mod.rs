//! The applications that ship with Tidemill. Everything here is a pure function of its input.

mod analyst;
pub mod form_coach;
pub mod live_insight;
pub mod recordings;

pub use analyst::{Analyst, AnalystError, Answer};
