//! Audio of an HLS stream: playlist and segments read here, decoded by FFmpeg.

use tokio::sync::watch;
use url::Url;

use crate::audio::decoder::{Decoder, Sink};
use crate::audio::{AudioOptions, AudioState, direct};
use crate::error::MediaError;
use crate::hls::{Fetch, Follow, Losses, Master, Part, Piece, Playlist, Timeline, Trouble, only_playlists};
use crate::process::Program;
use crate::resolve::Resolved;
use crate::shown::host;

/// How many decoders in a row may give nothing.
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
    let timeline = Timeline::new(options.begin(0), options.start_ms);
    let mut follow = Follow::new(fetch.clone(), resolved.media.clone(), timeline, options.patience());
    let waits = |reason| drop(told.send_replace(AudioState::Waiting { reason }));
    let host = host(&resolved.media);
    let mut reader = Reader {
        ffmpeg,
        fetch,
        told,
        losses: Losses::new(host.clone()),
        host,
        decoder: None,
        sink: Some(sink),
        init: None,
        useless: 0,
        broken: false,
        silence: None,
        heard: false,
    };
    let mut turned = false;
    loop {
        let playlist = match follow.next(waits).await? {
            // One list of others leads to segments; more of them may lead in a circle.
            Playlist::Master(_) if turned => return Err(only_playlists()),
            Playlist::Master(master) => {
                follow.turn_to(audio_of(&master)?);
                turned = true;
                continue;
            }
            Playlist::Media(playlist) => playlist,
        };
        for piece in follow.new_of(&playlist)? {
            if piece.segment.encrypted {
                // FFmpeg has the means to decrypt it.
                let sink = reader.finish(&mut follow.timeline).await?;
                let is_live = !playlist.ended;
                return direct::read(ffmpeg, follow.address(), is_live, piece.start_ms, options, sink, told).await;
            }
            reader.take(piece, &mut follow.timeline).await?;
        }
        if playlist.ended {
            reader.finish(&mut follow.timeline).await?;
            return match reader.silence {
                Some(error) if !reader.heard => Err(error),
                _ => Ok(()),
            };
        }
    }
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
    losses: Losses,
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
        self.losses.had();
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

    /// A segment that cannot be had is a gap.
    fn lost(&mut self, trouble: Trouble, timeline: &mut Timeline) -> Result<(), MediaError> {
        self.broken = true;
        timeline.broke();
        let reason = self.losses.lost(trouble)?;
        self.told.send_replace(AudioState::Waiting { reason });
        Ok(())
    }
}
