//! A clip and what became of it.

use serde::{Deserialize, Serialize};

use crate::clips::{ClipId, ClipRequest};

/// A clip and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// Its name.
    pub id: ClipId,
    /// What was asked for.
    pub request: ClipRequest,
    /// When it was asked for, in milliseconds since 1970.
    pub created_ms: i64,
    /// What became of it.
    pub state: ClipState,
}

/// What became of a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ClipState {
    /// It waits for its turn.
    Queued,
    /// Its footage is fetched; where its end is still to come, this lasts until then.
    Fetching,
    /// It is cut.
    Cutting {
        /// How much is done, from 0 to 1.
        share: f64,
    },
    /// It is tried again after trouble.
    Waiting {
        /// What happened.
        reason: String,
    },
    /// It is a file.
    Done(Finished),
    /// It could not be made.
    Failed {
        /// What happened, and what to do.
        reason: String,
    },
    /// The caller wanted it no more.
    Cancelled,
}

/// The file of a clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Its size.
    pub bytes: u64,
    /// When it begins: event time of the stream, with as much of the lead-in as could be had.
    pub start_ms: i64,
    /// How long it is.
    pub duration_ms: i64,
    /// When it was finished, in milliseconds since 1970.
    pub finished_ms: i64,
}

impl ClipState {
    /// Whether nothing more happens by itself.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed { .. } | Self::Cancelled)
    }
}

/// Something changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipEvent {
    /// Which clip.
    pub id: ClipId,
    /// The [`owner`](ClipRequest::owner) of the clip.
    pub owner: String,
    /// What became of it; `None` where it was removed.
    pub state: Option<ClipState>,
}
