//! What to read next of a playlist that moves, and at which event time: each segment once, in order, and a segment that
//! was lost leaves a gap in the times.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::hls::{MediaPlaylist, Segment};

/// By how much a date may differ from what the lengths of the segments say, before the date counts. Encoders round.
const DRIFT_MS: f64 = 250.0;
/// The longest gap that the numbers of segments tell, and how far ahead a date may be without more reason.
const GAP_MS: i64 = 600_000;
/// How many segments before the end of a live playlist reading begins, as players do it.
pub(super) const LIVE_SEGMENTS: usize = 3;

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Near the end of a stream that is live, at the first segment of one that has ended.
    Live,
    /// At the first segment that can still be had.
    Oldest,
    /// With the segment in which this event time lies, or the first one after it.
    At(i64),
}

/// A segment to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Which one.
    pub segment: Segment,
    /// When it begins: event time of the stream.
    pub start_ms: i64,
    /// Whether it does not continue the one before: the decoder begins anew.
    pub fresh: bool,
}

/// Remembers what was read.
#[derive(Debug, Clone)]
pub struct Timeline {
    begin: Begin,
    /// The time of the first segment where the playlist has no dates.
    undated_start_ms: i64,
    /// The number of the last segment, and when it ended. `None` before the first one.
    last: Option<(u64, f64)>,
    /// When the next segment begins, if the date of the last one is to be believed after all.
    doubted: Option<f64>,
    broken: bool,
    now_ms: fn() -> i64,
}

impl Timeline {
    /// A timeline from `begin` on. Without dates in the playlist the first segment begins at `undated_start_ms`.
    pub fn new(begin: Begin, undated_start_ms: i64) -> Self {
        Self { begin, undated_start_ms, last: None, doubted: None, broken: true, now_ms }
    }

    /// The segment that was read last could not be used: the next one does not continue it.
    pub fn broke(&mut self) {
        self.broken = true;
    }

    /// What of this playlist was not read yet.
    pub fn read(&mut self, playlist: &MediaPlaylist) -> Vec<Piece> {
        let segments = &playlist.segments;
        let Some(last) = segments.last() else { return Vec::new() };
        let from = match self.last {
            None => self.first(playlist),
            // The server began to count anew: what begins after the last one that we read is new.
            Some((read, end_ms)) if last.sequence < read => {
                self.broken = true;
                let new = |segment: &Segment| segment.start_ms.is_some_and(|ms| ms as f64 + DRIFT_MS >= end_ms);
                segments.iter().position(new).unwrap_or_else(|| {
                    if last.start_ms.is_some() { segments.len() } else { segments.len().saturating_sub(LIVE_SEGMENTS) }
                })
            }
            Some((read, _)) => {
                let new = segments.partition_point(|segment| segment.sequence <= read);
                let is_far = |next: &Segment| gap_ms(read, next.sequence, playlist.target_ms) > GAP_MS;
                match segments.get(new) {
                    // Numbers that say nothing: reading begins anew.
                    Some(next) if next.start_ms.is_none() && is_far(next) => {
                        new.max(segments.len().saturating_sub(LIVE_SEGMENTS))
                    }
                    _ => new,
                }
            }
        };
        segments[from..].iter().map(|segment| self.place(segment, playlist.target_ms)).collect()
    }

    fn first(&self, playlist: &MediaPlaylist) -> usize {
        let segments = &playlist.segments;
        let live_edge = if playlist.ended { 0 } else { segments.len().saturating_sub(LIVE_SEGMENTS) };
        match self.begin {
            Begin::Live => live_edge,
            Begin::Oldest => 0,
            Begin::At(ms) => {
                if segments.iter().all(|segment| segment.start_ms.is_none()) {
                    return live_edge;
                }
                let ends_after = |segment: &Segment| {
                    segment.start_ms.is_some_and(|start| start as f64 + segment.duration_ms > ms as f64)
                };
                segments.iter().position(ends_after).unwrap_or(segments.len())
            }
        }
    }

    fn place(&mut self, segment: &Segment, target_ms: i64) -> Piece {
        let mut fresh = self.broken || segment.discontinuity;
        let dated = segment.start_ms.map(|ms| ms as f64);
        let doubted = self.doubted.take();
        let start = match self.last {
            None => dated.unwrap_or(self.undated_start_ms as f64),
            Some((last, expected)) => {
                let gap_ms = gap_ms(last, segment.sequence, target_ms);
                fresh |= gap_ms > 0;
                let continued = expected + if gap_ms <= GAP_MS { gap_ms as f64 } else { 0.0 };
                match dated {
                    None => continued,
                    Some(dated) if (dated - expected).abs() <= DRIFT_MS => expected,
                    Some(dated) if self.doubts(dated, expected, gap_ms as f64, segment.discontinuity, doubted) => {
                        self.doubted = Some(dated + segment.duration_ms);
                        continued
                    }
                    // Times never fall: a clock that was set back does not make anything happen twice.
                    Some(dated) => {
                        fresh |= dated > expected;
                        dated.max(expected)
                    }
                }
            }
        };
        fresh |= doubted.is_some() != self.doubted.is_some();
        self.broken = false;
        self.last = Some((segment.sequence, start + segment.duration_ms));
        Piece { segment: segment.clone(), start_ms: start.round() as i64, fresh }
    }

    /// Whether a date is not believed, because times could not come back from it: one that leads into the future, and one
    /// far ahead that neither lost segments nor a break explain, until the segment after it agrees (`doubted`).
    fn doubts(&self, dated: f64, expected: f64, gap_ms: f64, is_break: bool, doubted: Option<f64>) -> bool {
        let latest = (self.now_ms)().saturating_add(GAP_MS) as f64;
        let agrees = doubted.is_some_and(|doubted| (dated - doubted).abs() <= DRIFT_MS);
        let is_far = dated - expected - gap_ms > GAP_MS as f64;
        (dated > latest && expected <= latest) || (is_far && !is_break && !agrees)
    }
}

/// How long the segments between two numbers are.
fn gap_ms(last: u64, sequence: u64, target_ms: i64) -> i64 {
    let lost = sequence.saturating_sub(last).saturating_sub(1);
    i64::try_from(lost).unwrap_or(i64::MAX).saturating_mul(target_ms)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{Begin, Timeline};
    use crate::hls::{MediaPlaylist, Part, Segment};

    /// Segments of two seconds with these numbers and starts.
    fn playlist(segments: &[(u64, Option<i64>)]) -> MediaPlaylist {
        let segment = |&(sequence, start_ms): &(u64, Option<i64>)| Segment {
            sequence,
            part: Part { address: Url::parse("http://h/s").expect("an address"), range: None },
            duration_ms: 2000.0,
            start_ms,
            discontinuity: false,
            init: None,
            encrypted: false,
        };
        MediaPlaylist { segments: segments.iter().map(segment).collect(), target_ms: 2000, ended: false }
    }

    fn read(timeline: &mut Timeline, segments: &[(u64, Option<i64>)]) -> Vec<(u64, i64, bool)> {
        timeline
            .read(&playlist(segments))
            .into_iter()
            .map(|piece| (piece.segment.sequence, piece.start_ms, piece.fresh))
            .collect()
    }

    fn at(numbers: std::ops::Range<u64>) -> Vec<(u64, Option<i64>)> {
        numbers.map(|number| (number, Some(number as i64 * 2000))).collect()
    }

    #[test]
    fn each_segment_is_read_once_and_reading_begins_near_the_end() {
        let mut timeline = Timeline::new(Begin::Live, 0);
        assert_eq!(read(&mut timeline, &at(0..6)), [(3, 6000, true), (4, 8000, false), (5, 10_000, false)]);
        assert_eq!(read(&mut timeline, &at(0..6)), []);
        assert_eq!(read(&mut timeline, &at(2..7)), [(6, 12_000, false)]);
    }

    #[test]
    fn lost_segments_are_a_gap_in_the_times() {
        let mut timeline = Timeline::new(Begin::Oldest, 0);
        read(&mut timeline, &at(0..2));
        assert_eq!(read(&mut timeline, &at(5..6)), [(5, 10_000, true)]);
        let mut undated = Timeline::new(Begin::Oldest, 500);
        assert_eq!(read(&mut undated, &[(0, None), (1, None)]), [(0, 500, true), (1, 2500, false)]);
        assert_eq!(read(&mut undated, &[(4, None)]), [(4, 8500, true)]);
    }

    #[test]
    fn a_resumed_reading_begins_with_the_segment_of_its_time() {
        let mut timeline = Timeline::new(Begin::At(7000), 0);
        assert_eq!(read(&mut timeline, &at(0..5)), [(3, 6000, true), (4, 8000, false)]);
        let mut ahead = Timeline::new(Begin::At(60_000), 0);
        assert_eq!(read(&mut ahead, &at(0..5)), []);
    }

    #[test]
    fn rounded_dates_do_not_break_the_audio_but_a_drift_that_adds_up_does() {
        let mut timeline = Timeline::new(Begin::Oldest, 0);
        let drifting: Vec<_> = (0..8).map(|number| (number, Some(number as i64 * 2040))).collect();
        let read = read(&mut timeline, &drifting);
        assert_eq!(read[6], (6, 12_000, false));
        assert_eq!(read[7], (7, 14_280, true));
    }

    #[test]
    fn times_never_fall() {
        let mut timeline = Timeline::new(Begin::Oldest, 0);
        read(&mut timeline, &at(0..5));
        assert_eq!(read(&mut timeline, &[(5, Some(3000)), (6, Some(5000))]), [(5, 10_000, false), (6, 12_000, false)]);
    }

    #[test]
    fn the_last_number_that_there_is_does_not_stop_the_reader() {
        let mut timeline = Timeline::new(Begin::Oldest, 0);
        assert_eq!(read(&mut timeline, &[(u64::MAX, Some(0))]), [(u64::MAX, 0, true)]);
        assert_eq!(read(&mut timeline, &[(u64::MAX, Some(0))]), []);
    }

    #[test]
    fn numbers_that_jump_far_ahead_are_no_gap_of_years() {
        let mut timeline = Timeline::new(Begin::Oldest, 0);
        read(&mut timeline, &[(0, None), (1, None)]);
        let jumped = read(&mut timeline, &[(1_700_000_000, None)]);
        assert!(jumped.iter().all(|(_, start_ms, _)| *start_ms < 600_000), "{jumped:?}");
    }

    #[test]
    fn a_single_date_far_ahead_does_not_hold_for_the_segments_after_it() {
        let mut timeline = Timeline::new(Begin::Oldest, 0);
        read(&mut timeline, &[(0, Some(0)), (1, Some(2_000)), (2, Some(31_536_000_000))]);
        assert_eq!(read(&mut timeline, &[(3, Some(6_000))]), [(3, 6_000, true)]);
    }

    #[test]
    fn dates_in_the_future_do_not_hold_however_many_there_are() {
        let mut timeline = Timeline { now_ms: || 100_000, ..Timeline::new(Begin::Oldest, 0) };
        read(&mut timeline, &at(0..2));
        let ahead: Vec<_> = (2..5).map(|number| (number, Some(31_536_000_000 + number as i64 * 2000))).collect();
        assert_eq!(read(&mut timeline, &ahead), [(2, 4000, true), (3, 6000, false), (4, 8000, false)]);
        assert_eq!(read(&mut timeline, &at(5..7)), [(5, 10_000, true), (6, 12_000, false)]);
    }

    #[test]
    fn a_long_break_is_believed_when_a_second_date_or_the_numbers_agree() {
        let mut timeline = Timeline::new(Begin::Oldest, 0);
        read(&mut timeline, &at(0..2));
        let after = [(2, Some(3_600_000)), (3, Some(3_602_000)), (4, Some(3_604_000))];
        assert_eq!(read(&mut timeline, &after), [(2, 4000, true), (3, 3_602_000, true), (4, 3_604_000, false)]);
        assert_eq!(read(&mut timeline, &[(2004, Some(7_604_000))]), [(2004, 7_604_000, true)]);
    }

    #[test]
    fn a_server_that_counts_anew_goes_on_after_the_last_time() {
        let mut timeline = Timeline::new(Begin::Oldest, 0);
        read(&mut timeline, &at(100..103));
        let again = [(0, Some(204_000)), (1, Some(206_000)), (2, Some(208_000))];
        assert_eq!(read(&mut timeline, &again), [(1, 206_000, true), (2, 208_000, false)]);
    }
}
