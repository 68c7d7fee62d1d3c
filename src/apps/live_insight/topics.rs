//! The names of live insight and of its topics.

/// The application id.
pub(super) const ID: &str = "live-insight";
/// Chat messages, keyed by stream.
pub const CHAT: &str = "live-chat";
/// Transcript segments, keyed by stream.
pub const TRANSCRIPT: &str = "live-transcript";
/// Requests to withdraw messages and viewers, keyed by stream.
pub const WITHDRAWALS: &str = "live-withdrawals";
/// Requests to erase a stream's data, keyed by stream.
pub const ERASURES: &str = "live-erasures";
/// Confirmations of erased data, keyed by stream.
pub const ERASED: &str = "live-erased";
/// Insights, keyed by stream and window.
pub const INSIGHTS: &str = "live-insights";
/// Clip candidates, keyed by stream, start and end.
pub const CLIPS: &str = "live-clips";
/// Alerts, keyed by stream, time and kind.
pub const ALERTS: &str = "live-alerts";
/// Late chat and speech, keyed by stream and time.
pub const LATE: &str = "live-late";
/// Records that could not be read.
pub const DEAD_LETTERS: &str = "live-dead-letters";
/// The name of the call to the analyst.
pub(super) const ANALYST: &str = "live-analyst";
