//! Form coach: feedback on exercise while it happens.

pub mod analysis;
mod frames;
mod model;
mod progress;
mod request;
mod topology;

pub(crate) use frames::Frames;
pub use model::GeminiForm;
pub(crate) use progress::STORE as PROGRESS_STORE;
pub use request::{FeedbackRequest, OfflineForm, Verdict};
pub use topology::{CoachSettings, call, topology};

/// The application id.
pub const APPLICATION: &str = "form-coach";
/// Pose frames, keyed by user.
pub const POSE: &str = "coach-pose";
/// Profiles, keyed by user; the last one counts.
pub const PROFILES: &str = "coach-profiles";
/// Requests to forget a user, keyed by user.
pub const ERASURES: &str = "coach-erasures";
/// What was forgotten, keyed by user.
pub const ERASED: &str = "coach-erased";
/// Feedback, keyed by user and window.
pub const FEEDBACK: &str = "coach-feedback";
/// Records that could not be read.
pub const DEAD_LETTERS: &str = "coach-dead-letters";
