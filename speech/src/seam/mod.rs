//! Seams: where one session takes over from another, both heard the same seconds.
//!
//! [`align()`] pairs the words of both by time and text, and decides where to change over: before that place the words of the
//! old session count, after it those of the new one. So a word that both heard counts once, also if they heard different
//! words, or at slightly different times. Both sessions hear badly at the edge of their audio: the change-over is near the
//! middle of what both heard, beside words on which they agree.

mod align;
mod joiner;
mod plain;

pub use align::{Changeover, align};
pub(crate) use joiner::Joiner;
pub(crate) use plain::{plain, similar};
