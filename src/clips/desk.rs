//! Takes in what is asked for, and tells what became of it.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tidemill_media::{
    Clip, ClipId, ClipState, Clips,
    clips::{Archive, Footage},
};
use tokio::sync::broadcast;

use super::{
    All, Asked, ClipError, ClipSettings, ClipView, Told,
    open::{Open, Opening},
    wishes::Wish,
};

/// How many changes a slow listener may be behind.
const BEHIND: usize = 1_024;
/// The most clips of one stream that may wait, so that no stream takes all turns.
pub(super) const OF_STREAM: usize = 50;

/// The clips of the streams, on this instance.
pub struct Desk {
    opening: Opening,
    open: Mutex<Option<Open>>,
    told: broadcast::Sender<Told>,
}

impl Desk {
    /// Opens the folder and goes on with what was not finished. Where that is not possible, each request tries it again:
    /// FFmpeg may be installed meanwhile. Must be called within a tokio runtime.
    pub fn open(opening: Opening) -> Self {
        let desk = Self { opening, open: Mutex::default(), told: broadcast::Sender::new(BEHIND) };
        if desk.opening.settings.enabled
            && desk.opening.folder.is_some()
            && let Some(error) = desk.trouble()
        {
            tracing::warn!(%error, "clips cannot be made");
        }
        desk
    }

    /// Stops all work. It goes on when the folder is opened again.
    pub fn close(&self) {
        *self.held() = None;
    }

    /// Changes of all clips from now on. A listener that is slow misses some.
    pub fn told(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    /// How clips are made and kept.
    pub fn settings(&self) -> &ClipSettings {
        &self.opening.settings
    }

    /// Why this server makes no clips; `None` if it does.
    pub fn trouble(&self) -> Option<ClipError> {
        self.ready().and_then(|_| self.opening.ffmpeg()).err()
    }

    fn held(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue, which is opened if it is not.
    fn ready(&self) -> Result<Clips, ClipError> {
        self.with(|open| Ok(open.clips.clone()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Open) -> Result<T, ClipError>) -> Result<T, ClipError> {
        let mut held = self.held();
        match &mut *held {
            Some(open) => work(open),
            none => work(none.insert(self.opening.begin(&self.told)?)),
        }
    }

    /// Checks what is asked for, before anything else is looked at.
    ///
    /// # Errors
    /// What is wrong with it, or why no clips are made.
    pub fn check(&self, asked: &Asked) -> Result<(), ClipError> {
        asked.check(&self.opening.settings, (self.opening.now_ms)())?;
        self.trouble().map_or(Ok(()), Err)
    }

    /// Asks for a clip of a stream from this footage. Who asks for the same again gets the same clip; one that failed or
    /// was cancelled is then made again.
    ///
    /// # Errors
    /// What is wrong with it, or why it is not made.
    pub fn submit(&self, stream_id: &str, asked: Asked, footage: Footage) -> Result<ClipView, ClipError> {
        self.check(&asked)?;
        let clips = self.ready()?;
        let id = asked.id(stream_id)?;
        let clip = match clips.get(&id) {
            Some(clip) if matches!(clip.state, ClipState::Failed { .. } | ClipState::Cancelled) => {
                clips.retry(&id).map_err(ClipError::of_media)?
            }
            Some(clip) => clip,
            None => {
                self.check_room(&clips, stream_id)?;
                let request = asked.request(stream_id, footage, &self.opening.settings);
                clips.submit(id, request).map_err(ClipError::of_media)?
            }
        };
        Ok(self.view(clip))
    }

    fn check_room(&self, clips: &Clips, stream_id: &str) -> Result<(), ClipError> {
        let waiting: Vec<_> = clips.list().into_iter().filter(|clip| !clip.state.is_final()).collect();
        let of_stream = waiting.iter().filter(|clip| clip.request.owner == stream_id).count();
        let busy = |error: String| Err(ClipError::Busy { error, fix: "ask again when some are finished".to_owned() });
        if of_stream >= OF_STREAM {
            return busy(format!("{of_stream} clips of this stream wait already"));
        }
        if waiting.len() >= self.opening.settings.waiting_most {
            return busy(format!("{} clips wait already", waiting.len()));
        }
        Ok(())
    }

    /// The clips of a stream, the newest first. None if this server makes no clips.
    pub fn list(&self, stream_id: &str) -> Vec<ClipView> {
        let all = self.ready().map(|clips| clips.list()).unwrap_or_default();
        all.into_iter().rev().filter(|clip| clip.request.owner == stream_id).map(|clip| self.view(clip)).collect()
    }

    /// The bytes of all finished clips of this instance.
    pub fn used_bytes(&self) -> u64 {
        let all = self.ready().map(|clips| clips.list()).unwrap_or_default();
        let of = |clip: &Clip| if let ClipState::Done(finished) = &clip.state { finished.bytes } else { 0 };
        all.iter().map(of).sum()
    }

    /// One clip.
    ///
    /// # Errors
    /// [`ClipError::Missing`] where the stream has no such clip.
    pub fn one(&self, stream_id: &str, id: &str) -> Result<ClipView, ClipError> {
        self.own(stream_id, id).map(|(_, clip)| self.view(clip))
    }

    /// The file of a finished clip.
    ///
    /// # Errors
    /// [`ClipError::Missing`] where the stream has no such clip, [`ClipError::Conflict`] where it is not finished.
    pub fn file(&self, stream_id: &str, id: &str) -> Result<(ClipView, PathBuf), ClipError> {
        let (clips, clip) = self.own(stream_id, id)?;
        let file = clips.file(&clip.id).ok_or_else(|| ClipError::Conflict {
            error: "the clip has no file".to_owned(),
            fix: "wait until its state is done, or ask for it again".to_owned(),
        })?;
        Ok((self.view(clip), file))
    }

    /// Stops making a clip.
    ///
    /// # Errors
    /// Where the stream has no such clip, or it is not being made.
    pub fn cancel(&self, stream_id: &str, id: &str) -> Result<ClipView, ClipError> {
        let (clips, clip) = self.own(stream_id, id)?;
        clips.cancel(&clip.id).map(|clip| self.view(clip)).map_err(ClipError::of_media)
    }

    /// Makes a clip again that failed or was cancelled.
    ///
    /// # Errors
    /// Where the stream has no such clip, or it did not fail.
    pub fn retry(&self, stream_id: &str, id: &str) -> Result<ClipView, ClipError> {
        let (clips, clip) = self.own(stream_id, id)?;
        self.check_room(&clips, stream_id)?;
        clips.retry(&clip.id).map(|clip| self.view(clip)).map_err(ClipError::of_media)
    }

    /// Deletes a clip and its file.
    ///
    /// # Errors
    /// Where the stream has no such clip, or its file cannot be deleted.
    pub fn remove(&self, stream_id: &str, id: &str) -> Result<(), ClipError> {
        let (clips, clip) = self.own(stream_id, id)?;
        clips.remove(&clip.id).map_err(ClipError::of_media)
    }

    /// Packs finished clips into one zip archive.
    ///
    /// # Errors
    /// Where the stream does not have all of them, or one is not finished.
    pub async fn archive(&self, stream_id: &str, ids: &[&str]) -> Result<Archive, ClipError> {
        let clips = self.ready()?;
        let own = ids.iter().map(|id| self.own(stream_id, id).map(|(_, clip)| clip.id));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        clips.archive(&own).await.map_err(ClipError::of_media)
    }

    /// Cancels and deletes all clips of a stream, or those that were asked for before a time.
    ///
    /// # Errors
    /// Where a file cannot be deleted. The others are deleted all the same.
    pub fn erase(&self, stream_id: &str, before_ms: Option<i64>) -> Result<usize, ClipError> {
        let clips = match self.ready() {
            Ok(clips) => clips,
            Err(error) if self.opening.has_clips() => return Err(error),
            Err(_) => return Ok(0),
        };
        self.take_back(stream_id, before_ms)?;
        let is_meant = |clip: &Clip| {
            clip.request.owner == stream_id && before_ms.is_none_or(|before_ms| clip.created_ms <= before_ms)
        };
        let (mut erased, mut failed) = (0, None);
        for clip in clips.list().into_iter().filter(is_meant) {
            match clips.remove(&clip.id) {
                Ok(()) => erased += 1,
                Err(error) => failed = Some(ClipError::of_media(error)),
            }
        }
        failed.map_or(Ok(erased), Err)
    }

    /// Deletes what is too old or too much.
    pub fn tidy(&self) {
        if let Some(open) = &*self.held() {
            open.clips.tidy();
        }
    }

    /// Keeps the wish to make all clips of a stream when it has ended; `None` takes it back.
    ///
    /// # Errors
    /// Where no clips are made, or the folder cannot be written.
    pub fn wish(&self, stream_id: &str, wish: Option<All>) -> Result<(), ClipError> {
        let asked_ms = (self.opening.now_ms)();
        let wish = wish.map(|all| Wish { all, asked_ms });
        self.with(|open| open.wishes.set(stream_id, wish).map_err(unwritten))
    }

    /// Takes a wish back, if it was told before a time.
    fn take_back(&self, stream_id: &str, before_ms: Option<i64>) -> Result<(), ClipError> {
        self.with(|open| {
            let asked_ms = open.wishes.of(stream_id).map(|wish| wish.asked_ms);
            let is_newer = asked_ms.zip(before_ms).is_some_and(|(asked_ms, before_ms)| asked_ms > before_ms);
            if is_newer { Ok(()) } else { open.wishes.set(stream_id, None).map_err(unwritten) }
        })
    }

    /// The wish of a stream.
    pub fn wished(&self, stream_id: &str) -> Option<All> {
        self.with(|open| Ok(open.wishes.of(stream_id).map(|wish| wish.all.clone()))).ok().flatten()
    }

    /// The streams that have a wish.
    pub fn wishing(&self) -> Vec<String> {
        self.with(|open| Ok(open.wishes.streams())).unwrap_or_default()
    }

    /// A clip, if it is the stream's.
    fn own(&self, stream_id: &str, id: &str) -> Result<(Clips, Clip), ClipError> {
        let clips = self.ready()?;
        let clip = ClipId::new(id).ok().and_then(|id| clips.get(&id));
        let clip = clip.filter(|clip| clip.request.owner == stream_id).ok_or_else(ClipError::no_clip)?;
        Ok((clips, clip))
    }

    fn view(&self, clip: Clip) -> ClipView {
        ClipView::of(clip, self.opening.settings.keep)
    }
}

fn unwritten(error: std::io::Error) -> ClipError {
    ClipError::Unavailable {
        error: format!("the folder of clips cannot be written: {error}"),
        fix: "check its permissions and its space".to_owned(),
    }
}
