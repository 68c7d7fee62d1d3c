//! The analysis of one window of pose frames, without network, clock or randomness.

mod assess;
mod body;
mod coach;
mod faults;
mod free;
mod judge;
mod mixed;
mod motion;
mod picture;
mod progress;
mod repetition;
mod replay;
mod sequence;
mod sight;
mod stance;
mod window;

pub use assess::Assessment;
pub use progress::SessionProgress;
pub use window::PoseWindow;
