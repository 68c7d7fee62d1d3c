//! The speech of a source: its audio goes through a recogniser, and what is said goes into live insight's transcript.
//!
//! ```text
//!  Hearing ──▶ Sound ──PCM──▶ Ear ▸ recogniser ▸ Transcript ──▶ Heard ──▶ Partition
//!                 pace          waits while full                  waits until it is on the log
//! ```

mod choice;
mod hearing;
mod hears;
mod listening;
mod tells;

pub use choice::{RecogniserChoice, Speech, SpeechSettings};
pub use hearing::{Hearing, Opening, Sound};

pub(super) use listening::{Listening, media_of};
