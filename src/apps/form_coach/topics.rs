//! The names of form coach and of its topics.

/// The application id.
pub(super) const ID: &str = "form-coach";
/// Pose frames, keyed by user.
pub const POSE: &str = "coach-pose";
/// Profiles, keyed by user. The latest profile of a user counts.
pub const PROFILES: &str = "coach-profiles";
/// Requests to erase a user's data, keyed by user.
pub const ERASURES: &str = "coach-erasures";
/// Confirmations of erased data, keyed by user.
pub const ERASED: &str = "coach-erased";
/// Feedback, keyed by user and window.
pub const FEEDBACK: &str = "coach-feedback";
/// Late frames, keyed by user and time.
pub const LATE: &str = "coach-late";
/// Records that could not be read.
pub const DEAD_LETTERS: &str = "coach-dead-letters";
/// The name of the call to the analyst.
pub(super) const ANALYST: &str = "coach-analyst";
