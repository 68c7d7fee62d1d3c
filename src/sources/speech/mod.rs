//! The speech of a source: its audio goes through a recogniser, or the captions that it carries are read, and what is said
//! goes into live insight's transcript.
//!
//! ```text
//!  Hearing ──▶ Sound ──PCM──▶ Ear ▸ recogniser ▸ Transcript ──▶ Heard ──▶ Partition
//!                 │ pace        waits while full                  │ waits until it is on the log
//!                 └── captions ──────────────────────────────────▶─┘
//! ```

mod choice;
mod hearing;
mod hears;
mod listening;
mod tells;
mod wish;

pub use choice::{RecogniserChoice, Speech, SpeechSettings};
pub use hearing::{Hearing, Opening, Sound};
pub use tidemill_media::CaptionsWanted;

pub(super) use listening::Listening;
pub(super) use wish::Wish;
