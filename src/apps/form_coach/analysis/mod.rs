//! The analysis of one window of pose frames, without network, clock or randomness.

mod assess;
mod body;
mod coach;
mod faults;
mod follow;
mod free;
mod judge;
mod mixed;
mod motion;
mod picture;
mod pieces;
mod progress;
mod reading;
mod repetition;
mod replay;
mod sequence;
mod sight;
mod stance;
mod window;

pub use assess::Assessment;
pub use pieces::{GAP_MS, Pieces, Step, Times};
pub use progress::SessionProgress;
pub use window::PoseWindow;
