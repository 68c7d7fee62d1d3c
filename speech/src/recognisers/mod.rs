//! The recognisers, one in a folder.

mod google;
mod openai;
mod pocketsphinx;

pub use google::{Google, GoogleSettings};
pub use openai::{OpenAi, OpenAiSettings};
pub use pocketsphinx::{Pocketsphinx, PocketsphinxSettings};
