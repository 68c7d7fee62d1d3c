//! Says whether the log can take more.

use tidemill_schemas::Arrival;

/// Says whether the log can take more, and counts what was written.
pub trait Gate: Send + Sync {
    /// Whether live insight can take so many records now.
    fn admits(&self, records: usize) -> bool;
    /// Counts events that were written on a topic.
    fn written(&self, topic: &'static str, events: u64);
    /// The clock that events are checked against.
    fn arrival(&self) -> Arrival;
}
