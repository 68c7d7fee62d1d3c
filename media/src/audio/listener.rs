//! Listens to what a streamer's address leads to, for as long as the stream lasts.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use crate::audio::{Audio, AudioOptions, AudioState, Pcm};
use crate::captions::{Captions, CaptionsWanted, Carried, look};
use crate::clips::Caption;
use crate::error::MediaError;
use crate::process::{Next, Restarts};
use crate::resolve::{Resolved, Resolver, Want};

/// How often in a row resolving and opening may fail without any audio.
const ATTEMPTS: u32 = 8;

/// What is heard of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A block of audio.
    Pcm(Pcm),
    /// A caption that the stream carries.
    Caption(Caption),
}

impl Given {
    /// When it begins: event time of the stream.
    pub fn start_ms(&self) -> i64 {
        match self {
            Self::Pcm(pcm) => pcm.start_ms,
            Self::Caption(caption) => caption.start_ms,
        }
    }

    /// When it ends.
    pub fn end_ms(&self) -> i64 {
        match self {
            Self::Pcm(pcm) => pcm.end_ms(),
            Self::Caption(caption) => caption.end_ms,
        }
    }
}

/// The audio behind the address that a streamer gave, or the captions that the stream carries, if they are wanted
/// ([`AudioOptions::captions`]). It resolves the address, and again when the address of the media has expired, and goes on
/// where it was. Dropping it stops all that it started.
#[derive(Debug)]
pub struct Listener {
    resolver: Resolver,
    address: Url,
    options: AudioOptions,
    started: Instant,
    stage: Stage,
    restarts: Restarts,
    title: Option<String>,
    /// Whether there are captions that cannot be read, or say nothing.
    has_useless_captions: bool,
    /// Until when the first caption must come; `None` once one came, or where there is no other way.
    first_caption_by: Option<Instant>,
    position_ms: Option<i64>,
    over: Option<MediaError>,
}

/// What it waits for.
#[derive(Debug)]
enum Stage {
    Resolving(JoinHandle<Result<(Resolved, Option<Carried>), MediaError>>),
    Reading(Audio),
    ReadingCaptions(Captions),
    Waiting { until: Instant, reason: String },
}

impl Stage {
    fn resolve(resolver: &Resolver, address: &Url, options: &AudioOptions) -> Self {
        let (resolver, address, options) = (resolver.clone(), address.clone(), options.clone());
        // A task of its own: a caller that stops waiting does not make it begin again.
        Self::Resolving(tokio::spawn(async move {
            let resolved = resolver.resolve(&address, Want::Audio).await?;
            let carried = look(&resolved, &options).await?;
            Ok((resolved, carried))
        }))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Self::Resolving(task) = self {
            task.abort();
        }
    }
}

impl Listener {
    /// Begins to resolve. `options.start_ms` is the event time of now, for live streams that do not tell times. Must be
    /// called within a tokio runtime.
    pub fn new(resolver: Resolver, address: Url, options: AudioOptions) -> Self {
        let wait_most = options.wait_most.max(Duration::from_millis(1));
        let backoff = tidemill_remote::Backoff::new(options.wait_first, wait_most, options.seed.wrapping_add(3));
        Self {
            stage: Stage::resolve(&resolver, &address, &options),
            restarts: Restarts::new(backoff, ATTEMPTS),
            position_ms: options.resume_after_ms,
            started: Instant::now(),
            title: None,
            has_useless_captions: false,
            first_caption_by: None,
            over: None,
            resolver,
            address,
            options,
        }
    }

    /// Waits for the next block or caption. Cancel safe.
    ///
    /// # Errors
    /// [`MediaError::Ended`] when the stream is over; any other error is one that waiting does not cure, or that stayed
    /// after many attempts. An error is returned on every further call.
    pub async fn next(&mut self) -> Result<Given, MediaError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        loop {
            let failed = match &mut self.stage {
                Stage::Waiting { until, .. } => {
                    tokio::time::sleep_until(*until).await;
                    self.stage = Stage::resolve(&self.resolver, &self.address, &self.options);
                    continue;
                }
                Stage::Resolving(task) => {
                    let resolved =
                        task.await.unwrap_or_else(|_| Err(MediaError::transient("Resolving the address stopped.")));
                    match resolved.and_then(|(resolved, carried)| self.open(resolved, carried)) {
                        Ok(stage) => {
                            self.stage = stage;
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Stage::Reading(audio) => match audio.next().await {
                    Ok(pcm) => return Ok(self.give(Given::Pcm(pcm))),
                    Err(error) => error,
                },
                Stage::ReadingCaptions(captions) => match within(self.first_caption_by, captions.next()).await {
                    Ok(caption) => {
                        self.first_caption_by = None;
                        return Ok(self.give(Given::Caption(caption)));
                    }
                    Err(error) if self.reads_audio_after(&error) => {
                        tracing::warn!(%error, "the captions of a stream cannot be read: its audio is");
                        self.has_useless_captions = true;
                        self.stage = Stage::resolve(&self.resolver, &self.address, &self.options);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            self.fail(failed)?;
        }
    }

    fn give(&mut self, given: Given) -> Given {
        self.restarts.worked();
        self.position_ms = self.position_ms.max(Some(given.end_ms()));
        given
    }

    /// Whether captions with this trouble are as good as none.
    fn reads_audio_after(&self, error: &MediaError) -> bool {
        let is_useless = matches!(error, MediaError::Refused { .. } | MediaError::Expired { status: 404 | 410, .. });
        is_useless && self.options.captions == CaptionsWanted::Prefer
    }

    fn open(&mut self, resolved: Resolved, carried: Option<Carried>) -> Result<Stage, MediaError> {
        let mut options = self.options.clone();
        options.resume_after_ms = self.position_ms;
        options.start_ms = match resolved.started_ms {
            Some(started_ms) if !resolved.is_live => started_ms,
            // What does not tell times has the time at which it is read.
            _ if resolved.is_live => options.start_ms + self.started.elapsed().as_millis() as i64,
            _ => options.origin_ms.unwrap_or(options.start_ms),
        };
        let stage = match carried.filter(|_| !self.has_useless_captions) {
            Some(carried) => {
                let is_new = self.position_ms == self.options.resume_after_ms && self.first_caption_by.is_none();
                if is_new && options.captions == CaptionsWanted::Prefer {
                    self.first_caption_by = Some(Instant::now() + options.captions_patience);
                }
                Stage::ReadingCaptions(Captions::read(carried, options))
            }
            None => Stage::Reading(Audio::open(&resolved, options)?),
        };
        self.title = resolved.title.or(self.title.take());
        Ok(stage)
    }

    /// Waits after trouble that may pass; else it is over.
    fn fail(&mut self, error: MediaError) -> Result<(), MediaError> {
        let error = match error {
            MediaError::Expired { .. } => MediaError::transient(error.to_string()),
            // A stream that was heard and is live no more has ended.
            MediaError::NotLive { .. } if self.position_ms > self.options.resume_after_ms => MediaError::Ended,
            error => error,
        };
        let reason = error.to_string();
        match self.restarts.failed(error) {
            Next::Again { after } => {
                let host = self.address.host_str().unwrap_or_default();
                tracing::info!(host, reason, "the audio of a stream is opened again");
                self.stage = Stage::Waiting { until: Instant::now() + after, reason };
                Ok(())
            }
            Next::GiveUp(error) => {
                self.over = Some(error.clone());
                Err(error)
            }
        }
    }

    /// What the platform calls the stream, once it is known.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Where the last block or caption ended: event time of the stream. To go on here after a restart, give it as
    /// [`AudioOptions::resume_after_ms`].
    pub fn position_ms(&self) -> Option<i64> {
        self.position_ms
    }

    /// What it does right now.
    pub fn state(&self) -> AudioState {
        match (&self.over, &self.stage) {
            (Some(_), _) => AudioState::Ended,
            (None, Stage::Resolving(_)) => AudioState::Connecting,
            (None, Stage::Reading(audio)) => audio.state(),
            (None, Stage::ReadingCaptions(captions)) => captions.state(),
            (None, Stage::Waiting { reason, .. }) => AudioState::Waiting { reason: reason.clone() },
        }
    }
}

/// What comes until then, if there is such a time.
async fn within(
    until: Option<Instant>,
    next: impl Future<Output = Result<Caption, MediaError>>,
) -> Result<Caption, MediaError> {
    let Some(until) = until else { return next.await };
    tokio::time::timeout_at(until, next).await.unwrap_or_else(|_| {
        Err(MediaError::refused("The captions of the stream say nothing.", "Let its audio be read."))
    })
}
