//! Event times of a playlist that has none.

use crate::hls::MediaPlaylist;
use crate::hls::timeline::LIVE_SEGMENTS;

/// Gives the segments of a playlist without dates the times that the audio of the stream gives them: the first segment of
/// a stream that is listed whole begins when it is told; the one where players begin to read a live stream begins now.
#[derive(Debug, Clone)]
pub struct Undated {
    begins_ms: Option<i64>,
    now_ms: i64,
    /// A segment and when it begins.
    anchor: Option<(u64, f64)>,
}

impl Undated {
    /// Times from `begins_ms`, or from `now_ms` for the end of a live stream.
    pub fn new(begins_ms: Option<i64>, now_ms: i64) -> Self {
        Self { begins_ms, now_ms, anchor: None }
    }

    /// A segment whose time is known from elsewhere.
    pub fn with(self, known: Option<(u64, i64)>) -> Self {
        Self { anchor: known.map(|(sequence, start_ms)| (sequence, start_ms as f64)).or(self.anchor), ..self }
    }

    /// Dates a playlist, unless it has dates.
    pub fn date(&mut self, playlist: &mut MediaPlaylist) {
        let ended = playlist.ended;
        let segments = &mut playlist.segments;
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return };
        if segments.iter().any(|segment| segment.start_ms.is_some()) {
            return;
        }
        let known = self.anchor.filter(|(sequence, _)| (first.sequence..=last.sequence).contains(sequence));
        let (anchor, start_ms) = known.unwrap_or_else(|| match self.begins_ms {
            Some(begins_ms) if ended || first.sequence == 0 => (first.sequence, begins_ms as f64),
            _ => (segments[segments.len().saturating_sub(LIVE_SEGMENTS)].sequence, self.now_ms as f64),
        });
        let before: f64 =
            segments.iter().filter(|segment| segment.sequence < anchor).map(|segment| segment.duration_ms).sum();
        let mut start = start_ms - before;
        for segment in segments.iter_mut() {
            segment.start_ms = Some(start.round() as i64);
            self.anchor = Some((segment.sequence, start));
            start += segment.duration_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::Undated;
    use crate::hls::{MediaPlaylist, Part, Segment};

    fn dated(undated: &mut Undated, numbers: std::ops::Range<u64>, ended: bool) -> Vec<i64> {
        let segment = |sequence| Segment {
            sequence,
            part: Part { address: Url::parse("http://h/s").expect("an address"), range: None },
            duration_ms: 2000.0,
            start_ms: None,
            discontinuity: false,
            init: None,
            encrypted: false,
        };
        let mut playlist = MediaPlaylist { segments: numbers.map(segment).collect(), target_ms: 2000, ended };
        undated.date(&mut playlist);
        playlist.segments.iter().filter_map(|segment| segment.start_ms).collect()
    }

    #[test]
    fn a_live_playlist_counts_from_now_and_keeps_its_times_while_it_moves() {
        let mut undated = Undated::new(None, 100_000);
        assert_eq!(dated(&mut undated, 10..15, false), [96_000, 98_000, 100_000, 102_000, 104_000]);
        assert_eq!(dated(&mut undated, 14..17, false), [104_000, 106_000, 108_000]);
    }

    #[test]
    fn a_segment_whose_time_is_known_dates_the_others() {
        let mut undated = Undated::new(None, 0).with(Some((11, 100_000)));
        assert_eq!(dated(&mut undated, 10..13, false), [98_000, 100_000, 102_000]);
        assert_eq!(dated(&mut undated, 12..14, false), [102_000, 104_000]);
    }

    #[test]
    fn a_recording_counts_from_its_beginning() {
        assert_eq!(dated(&mut Undated::new(Some(5000), 0), 0..2, true), [5000, 7000]);
    }
}
