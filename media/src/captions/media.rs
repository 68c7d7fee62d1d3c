//! The media beside the captions: its dates, and its clock.

use std::ops::RangeInclusive;

use url::Url;

use crate::captions::clock::first_tick;
use crate::captions::places::{Anchor, Stretch};
use crate::hls::{Fetch, MediaPlaylist, Part, Playlist, Segment};

/// How much of a segment is read to find its clock: the first packets hold it.
const BEGINNING: u64 = 128 << 10;

/// The media beside the captions.
#[derive(Debug)]
pub(super) struct Media {
    fetch: Fetch,
    address: Option<Url>,
}

impl Media {
    pub(super) fn new(fetch: Fetch, address: Option<Url>) -> Self {
        Self { fetch, address }
    }

    /// The first listed segment of these numbers that tells its event time: its number and the time. For captions whose own playlist has no
    /// dates; this relies on both playlists giving the same number to the same time, as packagers do.
    pub(super) async fn dated(&self, numbers: RangeInclusive<u64>) -> Option<(u64, i64)> {
        let playlist = self.playlist().await?;
        let mut listed = playlist.segments.iter().filter(|segment| numbers.contains(&segment.sequence));
        listed.find_map(|segment| Some((segment.sequence, segment.start_ms?)))
    }

    /// The clock of the media at a segment of captions: what the media of the same time begins with. Without dates, the
    /// media segment of the same number counts.
    pub(super) async fn clock(&self, sequence: u64, at: Stretch) -> Option<Anchor> {
        let playlist = self.playlist().await?;
        let middle_ms = i64::midpoint(at.from_ms, at.to_ms);
        let distance = |segment: &&Segment| {
            let start_ms = segment.start_ms.unwrap_or_default();
            let end_ms = start_ms + segment.duration_ms as i64;
            (start_ms - middle_ms).max(middle_ms - end_ms).max(0)
        };
        let (segment, ms) = match playlist.segments.iter().filter(|each| each.start_ms.is_some()).min_by_key(distance) {
            Some(nearest) if distance(&nearest) > 2 * playlist.target_ms => return None,
            Some(nearest) => (nearest, nearest.start_ms?),
            None => (playlist.segments.iter().find(|segment| segment.sequence == sequence)?, at.from_ms),
        };
        if segment.encrypted {
            return None;
        }
        let (from, length) = segment.part.range.unwrap_or((0, BEGINNING));
        let beginning = Part { range: Some((from, length.min(BEGINNING))), ..segment.part.clone() };
        let bytes = self.fetch.part(&beginning).await.ok()?;
        let init = match &segment.init {
            Some(init) => Some(self.fetch.part(init).await.ok()?),
            None => None,
        };
        first_tick(&bytes, init.as_deref()).map(|tick| Anchor { tick, ms })
    }

    async fn playlist(&self) -> Option<MediaPlaylist> {
        match self.fetch.playlist(self.address.as_ref()?).await {
            Ok(Playlist::Media(playlist)) => Some(playlist),
            Ok(Playlist::Master(_)) => None,
            Err(trouble) => {
                tracing::debug!(?trouble, "the media beside captions cannot be read");
                None
            }
        }
    }
}
