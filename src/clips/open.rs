//! The queue behind the desk, while its folder is open.

use std::{path::PathBuf, sync::Arc};

use tidemill_media::{ClipEvent, Clips, ClipsOptions, clips::AskCaptions, process::Program};
use tokio::{sync::broadcast, task::AbortHandle};

use super::{ClipError, ClipSettings, ClipView, Told, wishes::Wishes};
use crate::sources::Media;

const FFMPEG: &str = "ffmpeg";

/// What a desk needs.
pub struct Opening {
    /// How clips are made and kept.
    pub settings: ClipSettings,
    /// Where they are; `None` if there is no place for files.
    pub folder: Option<PathBuf>,
    /// How footage is read.
    pub media: Media,
    /// FFmpeg. `None`: the one that is installed when it is needed.
    pub ffmpeg: Option<Program>,
    /// Tells what was said in a clip.
    pub captions: AskCaptions,
    /// The time, in milliseconds since 1970.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
}

/// The queue, while it is open.
pub(super) struct Open {
    pub(super) clips: Clips,
    pub(super) wishes: Wishes,
    follows: AbortHandle,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.follows.abort();
    }
}

impl Opening {
    /// FFmpeg.
    pub(super) fn ffmpeg(&self) -> Result<Program, ClipError> {
        match &self.ffmpeg {
            Some(program) if program.path().is_file() => Ok(program.clone()),
            Some(program) => Program::find(program.name()).map_err(ClipError::of_media),
            None => Program::find(FFMPEG).map_err(ClipError::of_media),
        }
    }

    /// Whether there may be clips in the folder, which this server does not open.
    pub(super) fn has_clips(&self) -> bool {
        self.folder.as_ref().is_some_and(|folder| folder.join("journal.jsonl").exists())
    }

    /// Opens the folder. Clips that are there can be seen and deleted without FFmpeg, too.
    pub(super) fn begin(&self, told: &broadcast::Sender<Told>) -> Result<Open, ClipError> {
        let Self { settings, folder, media, captions, now_ms, .. } = self;
        let unavailable =
            |error: &str, fix: &str| Err(ClipError::Unavailable { error: error.to_owned(), fix: fix.to_owned() });
        if !settings.enabled {
            return unavailable("this server makes no clips", "set clips.enabled to true and start it again");
        }
        let Some(folder) = folder else {
            let fix = "set clips.folder, or data.dir, and start it again";
            return unavailable("this server has no folder for clips", fix);
        };
        let options = ClipsOptions {
            parallel: settings.parallel,
            queued_most: settings.waiting_most,
            longest_ms: settings.longest.as_millis() as i64,
            lines: settings.lines,
            keep: Some(settings.keep),
            quota_bytes: Some(settings.quota_bytes as u64),
            resolver: media.resolver.clone(),
            reach: media.reach,
            ffmpeg: Some(self.ffmpeg().unwrap_or_else(|_| Program::at(FFMPEG, FFMPEG))),
            captions: Some(captions.clone()),
            now_ms: now_ms.clone(),
            ..ClipsOptions::new(folder)
        };
        let clips = Clips::open(options).map_err(ClipError::of_media)?;
        let follows = follow(clips.clone(), settings.clone(), told.clone());
        Ok(Open { clips, wishes: Wishes::open(folder), follows })
    }
}

/// Tells the changes of clips, each with the clip as it is then.
fn follow(clips: Clips, settings: ClipSettings, told: broadcast::Sender<Told>) -> AbortHandle {
    let mut events = clips.events();
    let work = async move {
        loop {
            match events.recv().await {
                Ok(ClipEvent { id, owner, state }) => {
                    let clip = state.and_then(|_| clips.get(&id)).map(|clip| ClipView::of(clip, settings.keep));
                    // Nobody may listen.
                    let _ = told.send(Told { stream_id: owner, id: id.into(), clip });
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    };
    tokio::spawn(work).abort_handle()
}
