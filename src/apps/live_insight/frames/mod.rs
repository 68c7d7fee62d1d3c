//! Time frames: one view over several stored windows, such as the last 15 minutes or the whole stream.
//!
//! A [`Frame`] sums up windows and can be merged with another frame, in any grouping: a frame of an hour is the same
//! whether it is made of 60 windows or of two half hours. [`Frame::view`] then shows it as one insight. Nothing is read
//! but insights, so a frame works after the raw chat is gone.
//!
//! What a frame knows of the stream:
//! - **Exactly**: messages, questions, segments, the volume over time, support (sums, messages, members), the reactions
//!   to a phrase (also if they fell into two windows), alerts, spikes, clips, gaps.
//! - **Exactly for up to 256 authors in each window**: distinct authors. Larger windows keep a sample, and
//!   [`FrameNote::users`] tells the range.
//! - **With a bound**: the most active authors and the supporters. Each window keeps only the first of them, and tells
//!   what the others have at most. [`FrameNote::active_users`] tells the range.
//! - **About**: the vibe score (the mean of the windows, weighted by their authors), the mood's word, languages, lifts.
//!   A hot topic that was never among a window's twelve is missing, and a window without it in the list adds nothing.
//!
//! ```
//! use tidemill_apps::apps::live_insight::frames::{Range, frame};
//!
//! let range: Range = "15m".parse()?;
//! assert!(frame(&[], range).is_none(), "without windows there is no view");
//! # Ok::<(), tidemill_apps::apps::live_insight::frames::RangeError>(())
//! ```

mod chatters;
mod clock;
mod evidence;
mod frame;
mod head;
mod moments;
mod people;
mod range;
mod series;
mod speech;
mod support;
mod talk;
mod view;

#[cfg(test)]
mod tests;

pub(in crate::apps::live_insight) use chatters::union;
pub use frame::{Frame, frame};
pub use range::{Range, RangeError};
pub use view::{AtMost, Bounds, FrameNote, FrameView, Gap, TopicRange};
