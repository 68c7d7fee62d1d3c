//! A clip as clients see it.

use std::time::Duration;

use serde::Serialize;
use tidemill_media::{
    Clip, ClipState,
    clips::{Finished, Shape},
};

use crate::clock::millis;

/// A clip as clients see it. Addresses of footage may hold keys, so they are not shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipView {
    /// Its name.
    pub id: String,
    /// The stream.
    pub stream_id: String,
    /// When it begins: event time of the stream.
    pub start_ms: i64,
    /// When it ends.
    pub end_ms: i64,
    /// Why it was asked for; may be empty.
    pub reason: String,
    /// The shape of the picture.
    pub shape: Shape,
    /// Whether what was said is burnt in.
    pub captions: bool,
    /// When it was asked for.
    pub created_ms: i64,
    /// `queued`, `fetching`, `cutting`, `waiting`, `done`, `failed` or `cancelled`.
    pub state: &'static str,
    /// How much of it is cut, from 0 to 1.
    pub progress: f64,
    /// Why it waits or failed, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The file, when it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileView>,
}

/// The file of a clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileView {
    /// Its size.
    pub bytes: u64,
    /// When it begins: event time of the stream, with its lead-in.
    pub start_ms: i64,
    /// How long it is.
    pub duration_ms: i64,
    /// When it was finished.
    pub finished_ms: i64,
    /// When it is deleted, or sooner where clips take too much space.
    pub expires_ms: i64,
}

/// A change of a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The stream.
    pub stream_id: String,
    /// The clip's name.
    pub id: String,
    /// The clip as it is now; `None` if it was deleted.
    pub clip: Option<ClipView>,
}

impl ClipView {
    /// Shows a clip that is kept for so long.
    pub(super) fn of(clip: Clip, keep: Duration) -> Self {
        let Clip { id, request, created_ms, state } = clip;
        let (state, progress, trouble, file) = match state {
            ClipState::Queued => ("queued", 0.0, None, None),
            ClipState::Fetching => ("fetching", 0.0, None, None),
            ClipState::Cutting { share } => ("cutting", share, None, None),
            ClipState::Waiting { reason } => ("waiting", 0.0, Some(reason), None),
            ClipState::Done(finished) => ("done", 1.0, None, Some(FileView::of(&finished, keep))),
            ClipState::Failed { reason } => ("failed", 0.0, Some(reason), None),
            ClipState::Cancelled => ("cancelled", 0.0, None, None),
        };
        Self {
            id: id.into(),
            stream_id: request.owner,
            start_ms: request.start_ms,
            end_ms: request.end_ms,
            reason: request.title,
            shape: request.shape,
            captions: request.captioned,
            created_ms,
            state,
            progress,
            trouble,
            file,
        }
    }

    /// Whether nothing more happens by itself.
    pub fn is_final(&self) -> bool {
        matches!(self.state, "done" | "failed" | "cancelled")
    }
}

impl FileView {
    fn of(finished: &Finished, keep: Duration) -> Self {
        let Finished { bytes, start_ms, duration_ms, finished_ms } = *finished;
        let keep_ms = millis(keep);
        Self { bytes, start_ms, duration_ms, finished_ms, expires_ms: finished_ms.saturating_add(keep_ms) }
    }
}
