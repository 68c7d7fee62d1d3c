//! Clips: parts of a stream as MP4 files, with captions burnt in and loudness made equal.
//!
//! [`Clips`] keeps a folder: `files/` has finished clips, `work/` what is being made, `journal.jsonl` what was asked for.
//! A clip is made under `work/` and renamed when it is whole. After a kill the queue goes on: what was asked for and is
//! not finished is made again from its beginning.

mod archive;
mod captions;
mod clip;
mod command;
mod cutter;
mod footage;
mod gather;
mod journal;
mod options;
mod queue;
mod request;
mod retention;
mod turns;
mod work;

pub use archive::Archive;
pub use clip::{Clip, ClipEvent, ClipState, Finished};
pub use options::{AskCaptions, ClipsOptions};
pub use queue::Clips;
pub use request::{Caption, ClipId, ClipRequest, Footage, Shape};
