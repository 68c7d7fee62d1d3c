//! Speech of live streams to words.
//!
//! 16 kHz mono PCM with event times goes in; segments with event times of the stream come out ([`Transcriber`]).
//!
//! ```text
//! PCM → voice gate → pieces, cut at pauses → sessions of a recogniser → words → seams joined → segments
//! ```
//!
//! The gate keeps silence from being sent. A recogniser ([`Recogniser`]) turns a session's audio into words: Google
//! Speech-to-Text, a server that is compatible with `OpenAI`'s transcriptions, or a program on this machine that needs no
//! key. Where one session follows another, both hear the same seconds, and their words are aligned ([`seam`]), so that
//! none is lost or doubled. Audio stays in memory until its words are final: a session that breaks costs no word.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tidemill_speech::{Pocketsphinx, PocketsphinxSettings, SpeechError, Told, Transcriber, TranscriberSettings};
//!
//! # async fn run(mut pcm: impl FnMut() -> Option<(Vec<i16>, i64)> + Send + 'static) -> Result<(), SpeechError> {
//! let recogniser = Arc::new(Pocketsphinx::new(PocketsphinxSettings::default()));
//! let (ear, mut transcript) = Transcriber::start(recogniser, TranscriberSettings::default());
//! let listening = tokio::spawn(async move {
//!     while let Some((samples, start_ms)) = pcm() {
//!         ear.push(&samples, start_ms).await?;
//!     }
//!     Ok::<_, SpeechError>(()) // The ear is dropped: what was heard is told to its end.
//! });
//! while let Some(told) = transcript.next().await {
//!     match told {
//!         Told::Segment(segment) if segment.is_final => println!("{} {}", segment.start_ms, segment.text),
//!         Told::Segment(_) => {}
//!         Told::State(state) => println!("{state:?}"),
//!         Told::LeftOut { from_ms, to_ms, reason } => println!("{from_ms} to {to_ms}: {reason}"),
//!     }
//! }
//! listening.await.unwrap_or(Ok(()))
//! # }
//! ```

mod counters;
mod credential;
mod error;
mod framer;
mod gate;
mod recogniser;
mod recognisers;
pub mod seam;
mod segment;
mod transcriber;

pub use counters::Counts;
pub use credential::Credential;
pub use error::SpeechError;
pub use gate::GateSettings;
pub use recogniser::{BoxFuture, Limits, Recognised, Recogniser, Session};
pub use recognisers::{Google, GoogleSettings, OpenAi, OpenAiSettings, Pocketsphinx, PocketsphinxSettings};
pub use segment::{Segment, Word};
pub use transcriber::{Ear, State, Told, Transcriber, TranscriberSettings, Transcript};

/// Samples of one channel in a second. All audio of this crate has this rate.
pub const SAMPLE_RATE: u32 = 16_000;
/// Samples in a millisecond.
pub const SAMPLES_PER_MS: usize = SAMPLE_RATE as usize / 1_000;

/// Keys and tokens of services.
pub use tidemill_remote::Secret;
