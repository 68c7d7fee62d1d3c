//! One closed window of an athlete's movement: the analysts' input.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{PoseFrame, UserProfile};

use super::progress::SessionProgress;

/// The frames of one athlete in `[start_ms, end_ms)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoseWindow {
    /// The athlete.
    pub user_id: String,
    /// First millisecond of the window.
    pub start_ms: i64,
    /// First millisecond after the window.
    pub end_ms: i64,
    /// The frames, in any order.
    pub frames: Vec<PoseFrame>,
    /// The athlete's profile, if the athlete has saved one.
    pub profile: Option<UserProfile>,
    /// The session's state after the previous window.
    pub progress: SessionProgress,
}
