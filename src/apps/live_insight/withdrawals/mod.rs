//! Withdrawals: messages that a moderator deleted, and viewers who were banned. Windows that are open leave them out
//! when they close. Results of closed windows lose what they show of them, and are published again.

mod known;
mod process;
mod published;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_schemas::AHEAD_MAX_MS;

use super::analysis::{Source, fingerprint};
use crate::apps::Withdrawal;

pub(super) use known::known;
pub(super) use process::{Publish, Withdraw};
pub(super) use published::Published;

/// The store with the withdrawals of each stream, in slots of time.
pub(super) const WITHDRAWN: &str = "withdrawn";
/// The store with the last insights of each stream, by start of their windows.
pub(super) const PUBLISHED: &str = "published";
/// How long withdrawals and insights are kept, in the partition's stream time. Raw events are kept as long by default.
pub(super) const KEPT: Duration = Duration::from_hours(1);
const KEPT_MS: i64 = KEPT.as_millis() as i64;
/// Length of a slot. A reader looks at every slot of the time for which withdrawals are kept.
pub(super) const SLOT: Duration = Duration::from_mins(10);
const SLOT_MS: i64 = SLOT.as_millis() as i64;

/// What can be withdrawn from a stream. The names are the paths in the application's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// A message, by its id.
    Chat,
    /// Everything that a viewer has written so far, by the viewer's id.
    Viewers,
}

impl Withdrawal<Part> {
    /// Until when the messages of a withdrawn viewer are withdrawn. A message that was written before the request may
    /// have a time that is so far ahead of the server's clock. Later messages count: not every ban is for ever.
    fn until_ms(&self) -> i64 {
        self.requested_ms.saturating_add(AHEAD_MAX_MS)
    }

    /// Whether a message is withdrawn, given the fingerprints of its ids.
    fn covers(&self, source: Source) -> bool {
        let id = fingerprint(&self.id);
        match self.part {
            Part::Chat => source.message == Some(id),
            Part::Viewers => source.author == id,
        }
    }
}
