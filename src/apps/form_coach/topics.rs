//! The names of form coach and of its topics.

/// The application id.
pub(super) const ID: &str = "form-coach";
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
/// The step that asks an analyst.
pub(super) const ANALYST: &str = "coach-analyst";
