//! Follows the captions of an HLS stream.

use tokio::sync::watch;

use crate::audio::{AudioOptions, AudioState};
use crate::captions::Carried;
use crate::captions::fresh::Fresh;
use crate::captions::media::Media;
use crate::captions::pending::Pending;
use crate::captions::places::{Anchor, Places, Stretch, moved};
use crate::captions::vtt::{Vtt, parse};
use crate::clips::Caption;
use crate::error::MediaError;
use crate::feed::Sender;
use crate::hls::{Fetch, Follow, Losses, Piece, Playlist, Timeline, Undated};
use crate::shown::host;

/// How much is read again before the place where reading goes on: what stands on the screen there was said before.
const AGAIN_MS: i64 = 30_000;
/// By how much a clock that is read again must differ before it counts: dates are rounded.
const DRIFT_MS: i64 = 250;
/// How long a clock counts until it is read again, and how long to wait after it could not be read.
const CLOCK_MS: i64 = 300_000;
const CLOCK_AGAIN_MS: i64 = 30_000;
/// How many segments in a row may be no WebVTT.
const USELESS: u32 = 3;

/// Reads until the stream ends, or nobody takes captions any more.
pub(super) async fn read(
    carried: &Carried,
    options: &AudioOptions,
    captions: &Sender<Caption>,
    told: &watch::Sender<AudioState>,
) -> Result<(), MediaError> {
    let fetch = Fetch::new(options.attempts, options.backoff(0), options.reach)?;
    let host = host(&carried.captions);
    let timeline = Timeline::new(options.begin(AGAIN_MS), options.start_ms);
    let mut follow = Follow::new(fetch.clone(), carried.captions.clone(), timeline, options.patience());
    let media = Media::new(fetch.clone(), carried.media.clone());
    let mut dates: Option<Undated> = None;
    let mut reader = Reader {
        fetch,
        media,
        losses: Losses::new(host.clone()),
        host,
        places: Places::default(),
        clock_until_ms: i64::MIN,
        is_anew: true,
        fresh: Fresh::default(),
        pending: Pending::new(options.resume_after_ms),
        useless: 0,
        captions,
        told,
    };
    let waits = |reason| drop(told.send_replace(AudioState::Waiting { reason }));
    loop {
        let Playlist::Media(mut playlist) = follow.next(waits).await? else {
            return Err(MediaError::refused(
                "The captions of the stream are not listed as segments.",
                "Ask the owner of the stream to repair it.",
            ));
        };
        if let [first, .., last] | [first @ last] = playlist.segments.as_slice()
            && first.start_ms.or(last.start_ms).is_none()
        {
            let numbers = first.sequence..=last.sequence;
            if dates.is_none() {
                let begins_ms = playlist.ended.then_some(options.start_ms);
                let undated = Undated::new(begins_ms, options.start_ms);
                dates = Some(undated.with(reader.media.dated(numbers).await));
            }
            if let Some(dates) = &mut dates {
                dates.date(&mut playlist);
            }
        }
        told.send_replace(AudioState::Captions);
        for piece in follow.new_of(&playlist)? {
            if !reader.take(piece).await? {
                return Ok(());
            }
        }
        if playlist.ended {
            reader.give_until(i64::MAX).await;
            return Ok(());
        }
    }
}

struct Reader<'a> {
    fetch: Fetch,
    media: Media,
    losses: Losses,
    host: String,
    places: Places,
    /// Until which event time the clock counts, or is not looked for again.
    clock_until_ms: i64,
    /// Whether the media began anew since the clock was read.
    is_anew: bool,
    fresh: Fresh,
    pending: Pending,
    useless: u32,
    captions: &'a Sender<Caption>,
    told: &'a watch::Sender<AudioState>,
}

impl Reader<'_> {
    /// Reads a segment and gives its captions. False where nobody takes captions any more.
    async fn take(&mut self, piece: Piece) -> Result<bool, MediaError> {
        let unreadable = |what: &str| {
            let reason = format!("The captions of the stream on {} {what}.", self.host);
            MediaError::refused(reason, "Let its audio be read, or choose a stream with captions as WebVTT.")
        };
        if piece.segment.encrypted {
            return Err(unreadable("are encrypted"));
        }
        self.is_anew |= piece.fresh;
        let bytes = match self.fetch.part(&piece.segment.part).await {
            Ok(bytes) => bytes,
            Err(trouble) => {
                let reason = self.losses.lost(trouble)?;
                self.told.send_replace(AudioState::Waiting { reason });
                return Ok(true);
            }
        };
        self.losses.had();
        self.told.send_replace(AudioState::Captions);
        let Some(vtt) = parse(&bytes) else {
            self.useless += 1;
            if self.useless >= USELESS {
                return Err(unreadable("are no WebVTT"));
            }
            return Ok(true);
        };
        self.useless = 0;
        let at = Stretch { from_ms: piece.start_ms, to_ms: piece.start_ms + piece.segment.duration_ms as i64 };
        if !vtt.cues.is_empty() {
            let shift_ms = self.place(&vtt, &piece, at).await;
            for cue in moved(vtt, shift_ms) {
                let caption = self.fresh.of(cue, at.from_ms);
                if let Some(ended) = caption.and_then(|caption| self.pending.add(caption))
                    && self.captions.send(Ok(ended)).await.is_err()
                {
                    return Ok(false);
                }
            }
        }
        Ok(self.give_until(at.to_ms).await)
    }

    /// By how much the cues of a segment move. The clock of the media is read when the media begins anew, from time to time,
    /// and when the cues are not where it says.
    async fn place(&mut self, vtt: &Vtt, piece: &Piece, at: Stretch) -> i64 {
        let is_anew = std::mem::take(&mut self.is_anew);
        if is_anew || at.from_ms >= self.clock_until_ms {
            self.read_clock(piece, at, is_anew).await;
        }
        if let Some(shift_ms) = self.places.by_clock(vtt, at) {
            return shift_ms;
        }
        if self.places.anchor.is_some() && self.clock_until_ms - at.from_ms < CLOCK_MS {
            self.read_clock(piece, at, true).await;
        }
        if let Some(shift_ms) = self.places.by_clock(vtt, at) {
            return shift_ms;
        }
        self.places.anchor = None;
        self.clock_until_ms = at.from_ms + CLOCK_AGAIN_MS;
        self.places.by_segment(vtt, at)
    }

    async fn read_clock(&mut self, piece: &Piece, at: Stretch, is_anew: bool) {
        let found = self.media.clock(piece.segment.sequence, at).await;
        self.clock_until_ms = at.from_ms + if found.is_some() { CLOCK_MS } else { CLOCK_AGAIN_MS };
        let is_same = |last: &Anchor| found.is_some_and(|found| (last.at(found.tick) - found.ms).abs() <= DRIFT_MS);
        self.places.anchor = match self.places.anchor {
            Some(last) if is_same(&last) => Some(last),
            // The clock of before counts on while the media could only not be asked.
            Some(last) if found.is_none() && !is_anew => Some(last),
            _ => found,
        };
    }

    /// Gives what has ended before this time. False where nobody takes captions any more.
    async fn give_until(&mut self, ms: i64) -> bool {
        match self.pending.until(ms) {
            Some(caption) => self.captions.send(Ok(caption)).await.is_ok(),
            None => true,
        }
    }
}
