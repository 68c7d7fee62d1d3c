//! Local stand-ins for speech recognisers, for tests and demos.
//!
//! They do not recognise speech: they know the [`Script`]. Its [`Voice`] sounds like speech to a voice detector, and carries
//! the position in the script in the lowest bit of its samples. A server reads the position where a session begins, counts
//! samples, and answers with the words that were to be heard: cut words at the edges as fragments, times that tremble by
//! seed. [`Faults`] say what goes wrong, also by seed. The servers count the audio that they were sent.

mod door;
mod draw;
mod faults;
mod google;
mod hearing;
mod openai;
mod position;
mod script;
mod voice;

pub use door::Door;
pub use faults::Faults;
pub use google::{GoogleServer, GoogleSettings};
pub use hearing::{Heard, Hearing};
pub use openai::{OpenAiServer, OpenAiSettings};
pub use script::{Script, Spoken, Talk};
pub use voice::Voice;

/// Samples in a millisecond.
pub const SAMPLES_PER_MS: usize = 16;
