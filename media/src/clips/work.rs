//! What makes clips: a task for each that waits, fetches, cuts and settles.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, broadcast};
use tokio::task::AbortHandle;

use crate::clips::cutter::{Workplace, cut, gather};
use crate::clips::gather::disk;
use crate::clips::journal::Journal;
use crate::clips::turns::Turns;
use crate::clips::{Clip, ClipEvent, ClipId, ClipRequest, ClipState, ClipsOptions, Finished, retention};
use crate::error::MediaError;
use crate::process::{Next, Program, Restarts};

/// How many events a slow receiver may be behind.
const EVENTS: usize = 1024;

/// What became of a clip without its file.
pub(super) const FILE_GONE: &str = "The file of the clip is gone. Make the clip again.";

/// What all copies of the queue share.
#[derive(Debug)]
pub(super) struct Shared {
    options: ClipsOptions,
    ffmpeg: Program,
    fetching: Turns,
    cutting: Semaphore,
    events: broadcast::Sender<ClipEvent>,
    held: Mutex<Held>,
}

/// What changes.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) clips: BTreeMap<ClipId, Clip>,
    pub(super) journal: Journal,
    /// The task of each clip that is not settled, with its ticket: a task whose ticket is no longer here has no say.
    pub(super) tasks: HashMap<ClipId, (u64, AbortHandle)>,
    next_ticket: u64,
}

impl Shared {
    pub(super) fn new(options: ClipsOptions, ffmpeg: Program, journal: Journal, clips: BTreeMap<ClipId, Clip>) -> Self {
        Self {
            ffmpeg,
            fetching: Turns::new(options.fetching),
            cutting: Semaphore::new(options.parallel.max(1)),
            events: broadcast::Sender::new(EVENTS),
            held: Mutex::new(Held { clips, journal, tasks: HashMap::new(), next_ticket: 0 }),
            options,
        }
    }

    pub(super) fn options(&self) -> &ClipsOptions {
        &self.options
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn file(&self, id: &ClipId) -> PathBuf {
        self.options.folder.join("files").join(format!("{id}.mp4"))
    }

    pub(super) fn events(&self) -> broadcast::Receiver<ClipEvent> {
        self.events.subscribe()
    }

    pub(super) fn tell(&self, clip: &Clip, state: Option<ClipState>) {
        // Nobody may listen.
        let _ = self.events.send(ClipEvent { id: clip.id.clone(), owner: clip.request.owner.clone(), state });
    }

    /// Starts the tasks of all clips that wait.
    pub(super) fn resume(self: &Arc<Self>) {
        let mut held = self.held();
        for id in held.waiting() {
            self.start(&mut held, &id);
        }
    }

    pub(super) fn start(self: &Arc<Self>, held: &mut Held, id: &ClipId) {
        held.next_ticket += 1;
        let ticket = held.next_ticket;
        let task = tokio::spawn(make(Arc::clone(self), id.clone(), ticket));
        held.tasks.insert(id.clone(), (ticket, task.abort_handle()));
    }

    /// A change that lasts: it is noted in the journal.
    pub(super) fn settle(&self, held: &mut Held, id: &ClipId, state: ClipState) {
        let Some(clip) = held.clips.get_mut(id) else { return };
        clip.state = state.clone();
        if let Err(error) = held.journal.note(clip) {
            tracing::warn!(clip = %id, %error, "the journal of clips cannot be written: after a restart the clip is made again");
        }
        self.tell(clip, Some(state));
    }

    pub(super) fn remove(&self, held: &mut Held, id: &ClipId) -> io::Result<()> {
        // Its file goes first: the space that it gave back is what the journal may need.
        match fs::remove_file(self.file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Err(error) = held.journal.note_removed(id) {
            // Its task works on: a clip that stays has somebody who settles it.
            if let Some(clip) = held.clips.get_mut(id).filter(|clip| matches!(clip.state, ClipState::Done(_))) {
                clip.state = ClipState::Failed { reason: FILE_GONE.into() };
                self.tell(clip, Some(clip.state.clone()));
            }
            return Err(error);
        }
        if let Some((_, task)) = held.tasks.remove(id) {
            task.abort();
        }
        if let Some(clip) = held.clips.remove(id) {
            self.tell(&clip, None);
        }
        Ok(())
    }

    pub(super) fn tidy(&self, held: &mut Held) -> Vec<ClipId> {
        let keep_ms = self.options.keep.map(|keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        let gone = retention::expired(held.clips.values(), (self.options.now_ms)(), keep_ms, self.options.quota_bytes);
        for id in &gone {
            if let Err(error) = self.remove(held, id) {
                tracing::warn!(clip = %id, %error, "an old clip cannot be removed");
            }
        }
        gone
    }

    /// A change that a restart forgets. False where the task has no say any more.
    fn show(&self, id: &ClipId, ticket: u64, state: ClipState) -> bool {
        let mut held = self.held();
        if held.tasks.get(id).is_none_or(|(current, _)| *current != ticket) {
            return false;
        }
        let Some(clip) = held.clips.get_mut(id) else { return false };
        if clip.state != state {
            clip.state = state.clone();
            self.tell(clip, Some(state));
        }
        true
    }

    /// The request with what was said, where that is asked for.
    async fn captioned(&self, request: &ClipRequest) -> Option<ClipRequest> {
        let ask = self.options.captions.as_ref().filter(|_| request.captioned)?;
        let mut captions = request.captions.clone();
        captions.extend(ask(request).await);
        Some(ClipRequest { captions, ..request.clone() })
    }

    async fn attempt(&self, id: &ClipId, ticket: u64, request: &ClipRequest) -> Result<(), MediaError> {
        let closed = |_| MediaError::transient("The queue of clips is closed.");
        let place = Workplace::new(self.options.folder.join("work").join(format!("{id}-{ticket}")))?;
        drop(self.fetching.take(&request.owner).await?);
        self.show(id, ticket, ClipState::Fetching);
        let material = gather(request, &self.options, &self.fetching, place.path()).await?;
        let captioned = self.captioned(request).await;
        let request = captioned.as_ref().unwrap_or(request);
        self.show(id, ticket, ClipState::Queued);
        let _turn = self.cutting.acquire().await.map_err(closed)?;
        self.show(id, ticket, ClipState::Cutting { share: 0.0 });
        let told = |share| {
            self.show(id, ticket, ClipState::Cutting { share });
        };
        let cut = cut(&self.ffmpeg, request, &material, &self.options, place.path(), &told).await?;
        let path = cut.path.clone();
        // What is renamed must be on the disk: else a power cut leaves a name without content.
        let written = tokio::task::spawn_blocking(move || {
            let file = fs::File::open(path)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        let bytes = written.await.map_err(|_| MediaError::transient("The clip could not be written."))?;
        let bytes = bytes.map_err(|error: io::Error| disk(&error))?;
        let mut held = self.held();
        if held.tasks.get(id).is_none_or(|(current, _)| *current != ticket) {
            return Ok(());
        }
        fs::rename(&cut.path, self.file(id)).map_err(|error| disk(&error))?;
        held.tasks.remove(id);
        let finished = Finished {
            bytes,
            start_ms: material.start_ms(),
            duration_ms: cut.duration_ms,
            finished_ms: (self.options.now_ms)(),
        };
        self.settle(&mut held, id, ClipState::Done(finished));
        self.tidy(&mut held);
        Ok(())
    }
}

fn broke() -> MediaError {
    MediaError::refused("Tidemill has a fault that this clip met.", "Report it with the lines of the log about it.")
}

/// Makes one clip: tries again after trouble that may pass.
async fn make(shared: Arc<Shared>, id: ClipId, ticket: u64) {
    let Some(request) = shared.held().clips.get(&id).map(|clip| clip.request.clone()) else { return };
    let mut restarts = Restarts::new(shared.options.backoff(ticket), shared.options.attempts);
    loop {
        // What breaks for one clip must be told, and not leave it on its way for ever.
        let attempt = AssertUnwindSafe(shared.attempt(&id, ticket, &request)).catch_unwind();
        let error = match attempt.await.unwrap_or_else(|_| Err(broke())) {
            Ok(()) => return,
            // Each attempt resolves the addresses anew.
            Err(error @ MediaError::Expired { .. }) => MediaError::transient(error.to_string()),
            Err(error) => error,
        };
        let reason = error.to_string();
        match restarts.failed(error) {
            Next::GiveUp(error) => {
                let mut held = shared.held();
                if held.tasks.get(&id).is_some_and(|(current, _)| *current == ticket) {
                    held.tasks.remove(&id);
                    tracing::warn!(clip = %id, %error, "a clip could not be made");
                    shared.settle(&mut held, &id, ClipState::Failed { reason: error.to_string() });
                    shared.tidy(&mut held);
                }
                return;
            }
            Next::Again { after } => {
                shared.show(&id, ticket, ClipState::Waiting { reason });
                tokio::time::sleep(after).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tempfile::TempDir;

    use super::Shared;
    use crate::clips::journal::Journal;
    use crate::clips::retention::tests::clips;
    use crate::clips::{ClipState, ClipsOptions};
    use crate::process::Program;

    #[tokio::test]
    async fn a_removal_that_fails_leaves_a_clip_that_somebody_makes() {
        let folder = TempDir::new().expect("a folder");
        let (mut journal, mut known) = Journal::open(folder.path()).expect("a journal");
        journal.spoil(File::open("/dev/null").expect("a file that is only read"));
        for mut clip in clips(&[("a", 1, 1)]) {
            clip.state = ClipState::Fetching;
            known.insert(clip.id.clone(), clip);
        }
        let shared = Shared::new(ClipsOptions::new(folder.path()), Program::at("ffmpeg", "/bin/true"), journal, known);
        let mut held = shared.held();
        let id = held.waiting()[0].clone();
        let task = tokio::spawn(std::future::pending::<()>());
        held.tasks.insert(id.clone(), (1, task.abort_handle()));
        assert!(shared.remove(&mut held, &id).is_err());
        assert!(held.tasks.contains_key(&id) && held.clips.contains_key(&id));
    }
}
