//! One closed window of a stream: the analysts' input.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Alert, ChatMessage, TranscriptSegment};

use super::trend::StreamTrend;

/// Chat and speech of one stream in `[start_ms, end_ms)`; either side may be empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatWindow {
    /// The stream.
    pub stream_id: String,
    /// First millisecond of the window.
    pub start_ms: i64,
    /// First millisecond after the window.
    pub end_ms: i64,
    /// The chat messages, in any order.
    pub chats: Vec<ChatMessage>,
    /// The transcript segments, in any order.
    pub segments: Vec<TranscriptSegment>,
    /// The stream's state after the previous window.
    pub trend: StreamTrend,
    /// Mood shifts that were reported since the window began or in the previous window.
    #[serde(default)]
    pub told: Vec<Alert>,
}

impl ChatWindow {
    /// Length in seconds, never zero.
    pub(super) fn seconds(&self) -> f64 {
        (self.end_ms - self.start_ms).max(1) as f64 / 1000.0
    }
}
