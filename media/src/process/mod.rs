//! Programs that we start: found, watched, killed with all that they started, and explained when they end.

mod exit;
mod input;
mod program;
mod restarts;
mod running;

pub use exit::Exit;
pub use program::Program;
pub use restarts::{Next, Restarts};
pub use running::Running;

pub(crate) use input::{MEDIA, SEGMENTS, input_options};
pub(crate) use running::read_lines;
