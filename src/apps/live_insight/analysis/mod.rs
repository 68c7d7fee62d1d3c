//! The analysis of one window of chat and speech, without network, clock or randomness.

mod activity;
mod alerts;
mod chance;
mod clips;
mod crowd;
mod echo;
mod evidence;
mod follow;
mod instruction;
mod language;
mod lexicon;
mod numbers;
mod offline;
mod phrases;
mod reading;
mod sentiment;
mod series;
mod shifts;
mod shown;
mod sources;
mod speech;
mod spikes;
mod support;
mod topics;
mod trend;
mod window;
mod words;

pub use offline::OfflineAnalyst;
pub use sentiment::{MessageMood, message_mood};
pub(super) use shifts::fingerprint;
pub use shifts::{CHECK_MS, MoodWatch, RECENT_MS, Voices};
pub use sources::{Gone, Source, Sources};
pub use trend::StreamTrend;
pub use window::{ChatWindow, each_once};
