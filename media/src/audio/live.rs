//! Audio of an HLS stream: playlist and segments read here, decoded by FFmpeg.

use std::time::Duration;

use tidemill_remote::Backoff;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use crate::audio::decoder::{Decoder, Sink};
use crate::audio::{AudioOptions, AudioState, direct};
use crate::error::MediaError;
use crate::hls::{Begin, Fetch, Master, MediaPlaylist, Part, Piece, Playlist, Timeline, Trouble};
use crate::process::Program;
use crate::resolve::Resolved;
use crate::shown::host;

/// How many decoders in a row may give nothing, and how many segments in a row may be denied.
const USELESS: u32 = 3;

/// Reads until the stream ends.
pub(super) async fn read(
    ffmpeg: &Program,
    resolved: &Resolved,
    options: &AudioOptions,
    sink: Sink,
    told: &watch::Sender<AudioState>,
) -> Result<(), MediaError> {
    let fetch = Fetch::new(options.attempts, options.backoff(0), options.reach)?;
    let begin = match options.resume_after_ms {
        Some(ms) => Begin::At(ms),
        None if options.from_oldest => Begin::Oldest,
        None => Begin::Live,
    };
    let mut reader = Reader {
        ffmpeg,
        fetch,
        told,
        host: host(&resolved.media),
        decoder: None,
        sink: Some(sink),
        init: None,
        useless: 0,
        denied: 0,
        broken: false,
        silence: None,
        heard: false,
    };
    let mut address = resolved.media.clone();
    let mut timeline = Timeline::new(begin, options.start_ms);
    let mut backoff: Backoff = options.backoff(1);
    let mut last_new = Instant::now();
    loop {
        let started = Instant::now();
        let wait = match reader.fetch.playlist(&address).await {
            Ok(Playlist::Master(master)) => {
                address = audio_of(&master)?;
                continue;
            }
            Ok(Playlist::Media(playlist)) => {
                backoff.succeeded();
                let pieces = timeline.read(&playlist);
                let new = !pieces.is_empty();
                for piece in pieces {
                    if piece.segment.encrypted {
                        // FFmpeg has the means to decrypt it.
                        let sink = reader.finish(&mut timeline).await?;
                        return direct::read(ffmpeg, &address, !playlist.ended, piece.start_ms, options, sink, told)
                            .await;
                    }
                    reader.take(piece, &mut timeline).await?;
                }
                if playlist.ended {
                    reader.finish(&mut timeline).await?;
                    return match reader.silence {
                        Some(error) if !reader.heard => Err(error),
                        _ => Ok(()),
                    };
                }
                if new {
                    last_new = Instant::now();
                }
                options.reload.unwrap_or_else(|| until_reload(&playlist, new)).saturating_sub(started.elapsed())
            }
            Err(Trouble::Passing { reason, retry_after }) => {
                told.send_replace(AudioState::Waiting { reason });
                backoff.failed(retry_after)
            }
            Err(trouble) => return Err(trouble.of_stream(&address)),
        };
        if last_new.elapsed() > options.give_up_after {
            return Err(MediaError::transient(format!(
                "The stream on {} has brought nothing new for {} seconds.",
                host(&address),
                options.give_up_after.as_secs()
            )));
        }
        tokio::time::sleep(wait).await;
    }
}

/// As the standard says: the longest segment after something new, half of it after nothing new.
fn until_reload(playlist: &MediaPlaylist, new: bool) -> Duration {
    let target = Duration::from_millis(playlist.target_ms.clamp(500, 30_000) as u64);
    if new { target } else { target / 2 }
}

/// The playlist with the audio that costs least: audio alone, else the smallest variant.
fn audio_of(master: &Master) -> Result<Url, MediaError> {
    let smallest = master.variants.iter().min_by_key(|variant| variant.bandwidth);
    let group = smallest.and_then(|variant| variant.audio_group.as_deref());
    let in_group = master.audio.iter().filter(|rendition| group.is_none_or(|group| rendition.group == group));
    let audio = in_group.max_by_key(|rendition| rendition.default);
    audio.map(|rendition| &rendition.address).or(smallest.map(|variant| &variant.address)).cloned().ok_or_else(|| {
        MediaError::refused("The playlist of the stream lists nothing to read.", "Check that the stream has begun.")
    })
}

struct Reader<'a> {
    ffmpeg: &'a Program,
    fetch: Fetch,
    told: &'a watch::Sender<AudioState>,
    host: String,
    decoder: Option<Decoder>,
    /// Here while no decoder has it.
    sink: Option<Sink>,
    /// What the decoder read before its segments.
    init: Option<Part>,
    useless: u32,
    denied: u32,
    /// Whether a segment was lost after what the decoder has: it cannot go on.
    broken: bool,
    /// Why there was no audio, until there is some.
    silence: Option<MediaError>,
    heard: bool,
}

impl Reader<'_> {
    /// Fetches a segment and gives it to the decoder.
    async fn take(&mut self, piece: Piece, timeline: &mut Timeline) -> Result<(), MediaError> {
        let mut bytes = match self.fetch.part(&piece.segment.part).await {
            Ok(bytes) => bytes,
            Err(trouble) => return self.lost(trouble, timeline),
        };
        self.denied = 0;
        let begins = piece.fresh || self.broken || self.decoder.is_none() || self.init != piece.segment.init;
        if begins {
            let sink = self.finish(timeline).await?;
            self.init.clone_from(&piece.segment.init);
            if let Some(init) = &piece.segment.init {
                match self.fetch.part(init).await {
                    Ok(init) => bytes = [init, bytes].concat().into(),
                    Err(trouble) => {
                        self.sink = Some(sink);
                        return self.lost(trouble, timeline);
                    }
                }
            }
            self.broken = false;
            self.decoder = Some(Decoder::of_pipe(self.ffmpeg, piece.start_ms, sink)?);
        }
        self.told.send_replace(AudioState::Reading);
        let took = match self.decoder.as_mut() {
            Some(decoder) => decoder.write(&bytes).await,
            None => false,
        };
        if !took {
            // The decoder died of this segment: what was left of it is lost.
            let sink = self.finish(timeline).await?;
            self.sink = Some(sink);
            timeline.broke();
        }
        Ok(())
    }

    /// Lets the decoder finish, and takes the sink back.
    async fn finish(&mut self, timeline: &mut Timeline) -> Result<Sink, MediaError> {
        let Some(decoder) = self.decoder.take() else {
            return self.sink.take().ok_or_else(|| MediaError::transient("The audio has no taker."));
        };
        let decoded = decoder.finish().await?;
        if decoded.samples > 0 {
            self.useless = 0;
            self.heard = true;
        } else {
            self.useless += 1;
            timeline.broke();
            let error = decoded.exit.explain(&self.host);
            tracing::warn!(host = self.host, %error, "a part of the stream gave no audio");
            if self.useless >= USELESS {
                return Err(error);
            }
            self.silence = Some(error);
        }
        Ok(decoded.sink)
    }

    /// A segment that cannot be had is a gap; where all are denied, the address is no longer good.
    fn lost(&mut self, trouble: Trouble, timeline: &mut Timeline) -> Result<(), MediaError> {
        self.broken = true;
        timeline.broke();
        let reason = match trouble {
            Trouble::Denied { status } => {
                self.denied += 1;
                if self.denied >= USELESS && status != 404 {
                    return Err(MediaError::Expired { host: self.host.clone(), status });
                }
                format!("{} does not give a part of the stream (status {status}).", self.host)
            }
            Trouble::Passing { reason, .. } => reason,
            Trouble::Useless(error) => error.to_string(),
        };
        tracing::warn!(host = self.host, reason, "a part of the stream is lost");
        self.told.send_replace(AudioState::Waiting { reason });
        Ok(())
    }
}
