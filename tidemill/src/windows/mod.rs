//! Windows: their start and end, how long they accept records, and when their results are emitted.

mod cogrouped;
mod emit;
mod join_windows;
mod session_codec;
mod session_windows;
mod sliding_windows;
mod suppressed;
mod time_codec;
mod time_windows;
mod window;

pub use cogrouped::{Cogrouped, JoinKind};
pub use emit::EmitStrategy;
pub use join_windows::JoinWindows;
pub use session_codec::SessionWindowedCodec;
pub use session_windows::SessionWindows;
pub use sliding_windows::SlidingWindows;
pub use suppressed::{BufferConfig, Suppressed};
pub use time_codec::TimeWindowedCodec;
pub use time_windows::TimeWindows;
pub use window::{Window, Windowed, WindowedCodec};
