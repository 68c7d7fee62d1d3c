//! Clips of live streams: what is asked for becomes files in the folder of this instance.
//!
//! ```text
//!  Asked ─▶ Desk ─▶ tidemill_media::Clips ─▶ folder
//!            │ ▲ footage: the media of the stream's source      │
//!            │ └ words: what was said, when the clip is cut ◀───┤
//!            └──▶ Told: what became of each clip ◀──────────────┘
//! ```

mod settings;

mod asked;
mod error;
mod footage;
mod view;
mod words;

mod wishes;

mod open;

mod desk;

#[cfg(test)]
mod tests;

pub use asked::{All, Asked, When};
pub use desk::Desk;
pub use error::ClipError;
pub use footage::footage;
pub use open::Opening;
pub use settings::ClipSettings;
pub use tidemill_media::clips::AskCaptions;
pub use view::{ClipView, FileView, Told};
pub use words::{TRANSCRIPT, Words};
