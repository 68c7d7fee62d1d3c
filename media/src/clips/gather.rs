//! Fetches the segments of a part of an HLS stream; waits for those that are still to come.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_remote::Backoff;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use url::Url;

use crate::clips::footage::{Input, Material, Run};
use crate::clips::turns::Turns;
use crate::error::MediaError;
use crate::hls::{
    Begin, Fetch, Master, MediaPlaylist, Part, Piece, Playlist, Timeline, Trouble, Undated, only_playlists,
};

/// How many bytes of footage a second of a clip may take: more than the best picture of any platform.
const BYTES_PER_SECOND: u64 = 8 << 20;
/// How often the stream may break off within a clip: FFmpeg opens each run by itself.
const RUNS: usize = 20;
/// How late the first picture may be before the moment counts as gone.
const LATE_MS: i64 = 1000;

/// A part of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// With the lead-in, which may be missing.
    pub(super) from_ms: i64,
    /// The moment itself.
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

impl Span {
    /// How many bytes its footage may take.
    pub(super) fn bytes(self) -> u64 {
        let ms = u64::try_from(self.end_ms.saturating_sub(self.from_ms)).unwrap_or_default();
        ms.saturating_mul(BYTES_PER_SECOND) / 1000
    }
}

/// How a stream is read.
pub(super) struct Gathering<'a> {
    pub(super) fetch: &'a Fetch,
    /// Whose turn it is to fetch; a clip that waits for what is still to come has none.
    pub(super) turns: &'a Turns,
    pub(super) owner: &'a str,
    pub(super) span: Span,
    /// The event time of the first segment, where the playlist has no dates and lists all segments.
    pub(super) begins_ms: Option<i64>,
    pub(super) now_ms: i64,
    /// Where segments are kept.
    pub(super) folder: &'a Path,
    /// How many bytes may still be kept there, of picture and sound together.
    pub(super) bytes_left: AtomicU64,
    pub(super) lines: u32,
    pub(super) reload: Option<Duration>,
    pub(super) give_up_after: Duration,
    pub(super) backoff: Backoff,
}

/// The part of the stream is not in this footage.
pub(super) fn gone(what: &str) -> MediaError {
    MediaError::refused(what, "A live stream keeps only its last part: ask sooner, or for a clip of its recording.")
}

impl Gathering<'_> {
    pub(super) async fn material(&self, address: &Url) -> Result<Material, MediaError> {
        let turn = self.turns.take(self.owner).await?;
        let master = match self.fetch.playlist(address).await {
            Ok(Playlist::Master(master)) => master,
            Ok(Playlist::Media(_)) => {
                drop(turn);
                return Ok(Material { runs: self.runs(address, "picture").await?, sound: None });
            }
            Err(trouble) => return Err(trouble.of_stream(address)),
        };
        drop(turn);
        let (picture, sound) = choose(&master, self.lines)?;
        Ok(match sound {
            None => Material { runs: self.runs(&picture, "picture").await?, sound: None },
            Some(sound) => {
                let both = tokio::try_join!(self.runs(&picture, "picture"), self.runs(&sound, "sound"))?;
                Material { runs: both.0, sound: Some(both.1) }
            }
        })
    }

    /// Counts bytes that are kept.
    fn takes(&self, bytes: usize) -> Result<(), MediaError> {
        let rest = |left: u64| left.checked_sub(bytes as u64);
        match self.bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest) {
            Ok(_) => Ok(()),
            Err(_) => Err(MediaError::refused(
                "The footage of the clip takes more space than a video of its length.",
                "Send the stream with fewer bits per second.",
            )),
        }
    }

    /// Reads one playlist until the end of the span is there.
    async fn runs(&self, address: &Url, name: &str) -> Result<Vec<Run>, MediaError> {
        let mut timeline = Timeline::new(Begin::At(self.span.from_ms), 0);
        let mut undated = Undated::new(self.begins_ms, self.now_ms);
        let mut runs = Runs { gathering: self, name, runs: Vec::new(), file: None, init: None };
        let mut backoff = self.backoff.clone();
        let mut last_new = Instant::now();
        loop {
            let turn = self.turns.take(self.owner).await?;
            let wait = match self.fetch.playlist(address).await {
                Ok(Playlist::Media(mut playlist)) => {
                    backoff.succeeded();
                    undated.date(&mut playlist);
                    let pieces = timeline.read(&playlist);
                    if !pieces.is_empty() {
                        last_new = Instant::now();
                    }
                    for piece in pieces {
                        if piece.start_ms >= self.span.end_ms {
                            if runs.runs.is_empty() {
                                return Err(gone("The stream no longer has this part."));
                            }
                            return runs.finish().await;
                        }
                        runs.take(&piece).await?;
                        if piece.start_ms + piece.segment.duration_ms as i64 >= self.span.end_ms {
                            return runs.finish().await;
                        }
                    }
                    if playlist.ended {
                        return runs.finish().await;
                    }
                    self.reload.unwrap_or_else(|| half_of_longest(&playlist))
                }
                Ok(Playlist::Master(_)) => return Err(only_playlists()),
                Err(Trouble::Passing { retry_after, .. }) => backoff.failed(retry_after),
                Err(trouble) => return Err(trouble.of_stream(address)),
            };
            if last_new.elapsed() > self.give_up_after {
                return Err(gone("The end of the clip did not come."));
            }
            drop(turn);
            tokio::time::sleep(wait).await;
        }
    }
}

fn half_of_longest(playlist: &MediaPlaylist) -> Duration {
    Duration::from_millis(playlist.target_ms.clamp(1000, 30_000) as u64 / 2)
}

/// The smallest variant that has enough lines, else the largest; and its sound where that is apart.
fn choose(master: &Master, lines: u32) -> Result<(Url, Option<Url>), MediaError> {
    let height = |variant: &&crate::hls::Variant| (variant.height.unwrap_or(0), variant.bandwidth);
    let enough =
        master.variants.iter().filter(|variant| variant.height.is_some_and(|height| height >= u64::from(lines)));
    let variant = enough.min_by_key(height).or_else(|| master.variants.iter().max_by_key(height)).ok_or_else(|| {
        MediaError::refused("The playlist of the stream lists nothing to read.", "Check that the stream has begun.")
    })?;
    let group = variant.audio_group.as_deref();
    let in_group = master.audio.iter().filter(|rendition| group == Some(rendition.group.as_str()));
    let sound = in_group.max_by_key(|rendition| rendition.default).map(|rendition| rendition.address.clone());
    Ok((variant.address.clone(), sound))
}

/// Runs that grow.
struct Runs<'a> {
    gathering: &'a Gathering<'a>,
    name: &'a str,
    /// Each with the event time at which its media ends.
    runs: Vec<(Run, i64)>,
    file: Option<File>,
    init: Option<Part>,
}

impl Runs<'_> {
    /// Fetches a segment. One that is lost ends a run.
    async fn take(&mut self, piece: &Piece) -> Result<(), MediaError> {
        if piece.segment.encrypted {
            return Err(gone("The segments of the stream are encrypted."));
        }
        let span = self.gathering.span;
        if self.runs.is_empty() && piece.start_ms > span.start_ms + LATE_MS {
            return Err(gone("The stream no longer has this part."));
        }
        let fetch = self.gathering.fetch;
        let bytes = match fetch.part(&piece.segment.part).await {
            Ok(bytes) => bytes,
            Err(Trouble::Denied { status }) if status != 404 => {
                return Err(Trouble::Denied { status }.of_stream(&piece.segment.part.address));
            }
            // Also a segment that is too large alone.
            Err(Trouble::Useless(error)) => return Err(error),
            Err(_) => return self.close().await,
        };
        self.gathering.takes(bytes.len())?;
        let end_ms = piece.start_ms + piece.segment.duration_ms.round() as i64;
        if piece.fresh || self.file.is_none() || self.init != piece.segment.init {
            self.close().await?;
            if self.runs.len() == RUNS {
                return Err(MediaError::refused(
                    format!("The stream breaks off more than {} times within the clip.", RUNS - 1),
                    "Ask for a shorter clip.",
                ));
            }
            let init = match &piece.segment.init {
                Some(init) => {
                    let bytes = fetch.part(init).await.map_err(|trouble| trouble.of_stream(&init.address))?;
                    self.gathering.takes(bytes.len())?;
                    Some(bytes)
                }
                None => None,
            };
            self.init.clone_from(&piece.segment.init);
            let path = self.path();
            let mut file =
                OpenOptions::new().write(true).create_new(true).open(&path).await.map_err(|error| disk(&error))?;
            if let Some(init) = init {
                file.write_all(&init).await.map_err(|error| disk(&error))?;
            }
            self.file = Some(file);
            let skip_ms = (span.from_ms - piece.start_ms).max(0);
            let run = Run { input: Input::Fetched(path), skip_ms, take_ms: 0, start_ms: piece.start_ms + skip_ms };
            self.runs.push((run, end_ms));
        }
        if let (Some(file), Some((_, end))) = (self.file.as_mut(), self.runs.last_mut()) {
            file.write_all(&bytes).await.map_err(|error| disk(&error))?;
            *end = end_ms;
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.gathering.folder.join(format!("{}-{}.media", self.name, self.runs.len()))
    }

    async fn close(&mut self) -> Result<(), MediaError> {
        match self.file.take() {
            Some(mut file) => file.flush().await.map_err(|error| disk(&error)),
            None => Ok(()),
        }
    }

    async fn finish(mut self) -> Result<Vec<Run>, MediaError> {
        self.close().await?;
        let end_ms = self.gathering.span.end_ms;
        let runs = self.runs.into_iter().map(|(run, end)| Run { take_ms: end.min(end_ms) - run.start_ms, ..run });
        let runs: Vec<_> = runs.filter(|run| run.take_ms > 0).collect();
        match runs.first() {
            Some(first) if first.start_ms <= self.gathering.span.start_ms + LATE_MS => Ok(runs),
            _ => Err(gone("The stream has nothing at the time of the clip.")),
        }
    }
}

/// An error of the disk.
pub(super) fn disk(error: &std::io::Error) -> MediaError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            MediaError::refused("The disk is full.", "Delete clips, or give them more space.")
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            MediaError::refused("The folder of clips cannot be written.", "Check its permissions.")
        }
        _ => MediaError::transient(format!("The folder of clips cannot be used: {error}.")),
    }
}
