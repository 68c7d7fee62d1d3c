//! The queue of clips, as callers see it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::broadcast;

use crate::clips::gather::disk;
use crate::clips::journal::Journal;
use crate::clips::work::{FILE_GONE, Held, Shared};
use crate::clips::{Archive, Clip, ClipEvent, ClipId, ClipRequest, ClipState, ClipsOptions, archive};
use crate::error::MediaError;
use crate::process::Program;

/// Makes clips one after the other and keeps them. Copies share one queue; when the last one is dropped, all work stops,
/// and goes on when the folder is opened again.
#[derive(Debug, Clone)]
pub struct Clips {
    shared: Arc<Shared>,
    _owner: Arc<Owner>,
}

/// Stops work when nobody has the queue any more: tasks hold only `shared`.
#[derive(Debug)]
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        for (_, task) in self.0.held().tasks.values() {
            task.abort();
        }
    }
}

impl Clips {
    /// Opens a folder, which is made where it is missing, and goes on with what was not finished. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`MediaError::Missing`] where FFmpeg is not installed; [`MediaError::Refused`] where another process has the folder,
    /// or it cannot be written.
    pub fn open(options: ClipsOptions) -> Result<Self, MediaError> {
        let ffmpeg = match &options.ffmpeg {
            Some(program) => program.clone(),
            None => Program::find("ffmpeg")?,
        };
        // FFmpeg works in folders of its own: paths must hold there.
        let folder = std::path::absolute(&options.folder).map_err(|error| disk(&error))?;
        let options = ClipsOptions { folder, ..options };
        fs::create_dir_all(options.folder.join("files")).map_err(|error| disk(&error))?;
        let (journal, mut clips) = Journal::open(&options.folder).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => MediaError::refused(
                "Another process uses this folder of clips.",
                "Stop it, or choose another folder for this one.",
            ),
            _ => disk(&error),
        })?;
        // Only the process that has the lock may do this.
        let _ = fs::remove_dir_all(options.folder.join("work"));
        fs::create_dir_all(options.folder.join("work")).map_err(|error| disk(&error))?;
        for clip in clips.values_mut() {
            let is_file = options.folder.join("files").join(format!("{}.mp4", clip.id)).is_file();
            match &clip.state {
                ClipState::Done(_) if !is_file => {
                    clip.state = ClipState::Failed { reason: FILE_GONE.into() };
                }
                state if !state.is_final() => clip.state = ClipState::Queued,
                _ => {}
            }
        }
        remove_orphans(&options.folder.join("files"), &clips);
        let shared = Arc::new(Shared::new(options, ffmpeg, journal, clips));
        shared.resume();
        let clips = Self { _owner: Arc::new(Owner(Arc::clone(&shared))), shared };
        clips.tidy();
        Ok(clips)
    }

    /// Asks for a clip. Where a clip of this name exists, that one is returned as it is: asking twice makes one clip.
    ///
    /// # Errors
    /// [`MediaError::Refused`] where the request cannot be fulfilled or too many clips wait; [`MediaError::Transient`] where
    /// the journal cannot be written: then nothing was asked for.
    pub fn submit(&self, id: ClipId, request: ClipRequest) -> Result<Clip, MediaError> {
        let options = self.shared.options();
        request.check(options.longest_ms)?;
        let mut held = self.shared.held();
        if let Some(clip) = held.clips.get(&id) {
            return Ok(clip.clone());
        }
        let waiting = held.clips.values().filter(|clip| !clip.state.is_final()).count();
        if waiting >= options.queued_most {
            return Err(MediaError::refused(
                format!("{waiting} clips wait already."),
                "Ask again when some are finished.",
            ));
        }
        let clip = Clip { id, request, created_ms: (options.now_ms)(), state: ClipState::Queued };
        held.journal.note(&clip).map_err(|error| disk(&error))?;
        held.clips.insert(clip.id.clone(), clip.clone());
        self.shared.tell(&clip, Some(ClipState::Queued));
        self.shared.start(&mut held, &clip.id);
        Ok(clip)
    }

    /// A clip as it is now.
    pub fn get(&self, id: &ClipId) -> Option<Clip> {
        self.shared.held().clips.get(id).cloned()
    }

    /// All clips, in the order in which they were asked for.
    pub fn list(&self) -> Vec<Clip> {
        let mut clips: Vec<_> = self.shared.held().clips.values().cloned().collect();
        clips.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        clips
    }

    /// The file of a finished clip.
    pub fn file(&self, id: &ClipId) -> Option<PathBuf> {
        let is_done = |clip: &Clip| matches!(clip.state, ClipState::Done(_));
        self.shared.held().clips.get(id).is_some_and(is_done).then(|| self.shared.file(id))
    }

    /// Changes of all clips from now on. A receiver that is slow misses some; [`Clips::list`] tells what holds.
    pub fn events(&self) -> broadcast::Receiver<ClipEvent> {
        self.shared.events()
    }

    /// Stops making a clip. FFmpeg is killed and leaves nothing.
    ///
    /// # Errors
    /// [`MediaError::Refused`] where there is no such clip, or it is finished.
    pub fn cancel(&self, id: &ClipId) -> Result<Clip, MediaError> {
        let mut held = self.shared.held();
        let clip = held.clips.get(id).ok_or_else(no_such_clip)?;
        if clip.state.is_final() {
            return Err(MediaError::refused("The clip is not being made.", "Remove it instead."));
        }
        if let Some((_, task)) = held.tasks.remove(id) {
            task.abort();
        }
        self.shared.settle(&mut held, id, ClipState::Cancelled);
        let clip = held.clips.get(id).cloned().ok_or_else(no_such_clip);
        self.shared.tidy(&mut held);
        clip
    }

    /// Makes a clip again that failed or was cancelled.
    ///
    /// # Errors
    /// [`MediaError::Refused`] where there is no such clip, or it did not fail.
    pub fn retry(&self, id: &ClipId) -> Result<Clip, MediaError> {
        let mut held = self.shared.held();
        let clip = held.clips.get(id).ok_or_else(no_such_clip)?;
        if !matches!(clip.state, ClipState::Failed { .. } | ClipState::Cancelled) {
            return Err(MediaError::refused("The clip did not fail.", "Wait for it, or ask for another one."));
        }
        self.shared.settle(&mut held, id, ClipState::Queued);
        self.shared.start(&mut held, id);
        held.clips.get(id).cloned().ok_or_else(no_such_clip)
    }

    /// Removes a clip and its file; stops making it.
    ///
    /// # Errors
    /// [`MediaError::Refused`] where there is no such clip, or its file cannot be removed.
    pub fn remove(&self, id: &ClipId) -> Result<(), MediaError> {
        let mut held = self.shared.held();
        if !held.clips.contains_key(id) {
            return Err(no_such_clip());
        }
        self.shared.remove(&mut held, id).map_err(|error| disk(&error))
    }

    /// Removes what is too old or too much. This also happens after each clip that is finished, failed or cancelled. Returns what went.
    pub fn tidy(&self) -> Vec<ClipId> {
        self.shared.tidy(&mut self.shared.held())
    }

    /// Packs finished clips into one zip archive, in this order.
    ///
    /// # Errors
    /// [`MediaError::Refused`] where one of them is not finished, or the disk is full.
    pub async fn archive(&self, ids: &[ClipId]) -> Result<Archive, MediaError> {
        let files = ids.iter().map(|id| {
            let clip = self.get(id).filter(|clip| matches!(clip.state, ClipState::Done(_)));
            clip.map(|clip| (clip.request.title, self.shared.file(id)))
        });
        let files: Option<Vec<_>> = files.collect();
        let files = files.filter(|files| !files.is_empty()).ok_or_else(|| {
            MediaError::refused("Only finished clips can be packed.", "Wait until all of them are finished.")
        })?;
        let folder = self.shared.options().folder.join("work");
        let packed = tokio::task::spawn_blocking(move || archive::write(&folder, &files)).await;
        packed.map_err(|_| MediaError::transient("Packing the clips stopped."))?.map_err(|error| disk(&error))
    }
}

fn no_such_clip() -> MediaError {
    MediaError::refused("There is no such clip.", "It may have been removed because it was old.")
}

/// Files of clips that were killed between their renaming and their line in the journal, or whose removal was.
fn remove_orphans(folder: &std::path::Path, clips: &BTreeMap<ClipId, Clip>) {
    let names: HashMap<String, &Clip> = clips.values().map(|clip| (format!("{}.mp4", clip.id), clip)).collect();
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files {
        let name = file.file_name();
        let known = name.to_str().and_then(|name| names.get(name));
        if !known.is_some_and(|clip| matches!(clip.state, ClipState::Done(_))) {
            let _ = fs::remove_file(file.path());
        }
    }
}

impl Held {
    /// Clips that wait, the first one first.
    pub(super) fn waiting(&self) -> Vec<ClipId> {
        let mut waiting: Vec<_> = self.clips.values().filter(|clip| !clip.state.is_final()).collect();
        waiting.sort_by_key(|clip| clip.created_ms);
        waiting.into_iter().map(|clip| clip.id.clone()).collect()
    }
}
