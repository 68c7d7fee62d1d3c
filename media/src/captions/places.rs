//! Event times of cues.
//!
//! A cue has a time of its file. The file says which tick of the media's clock that is (`X-TIMESTAMP-MAP`; without it, time 0
//! is tick 0, as RFC 8216 says), and an [`Anchor`] says which event time a tick is: both were read at the beginning of a media
//! segment, which has a date. A cue is in each segment that it overlaps, so the segment proves the result: encoders exist
//! whose cues count from the beginning of the segment, or by a clock that the media does not have. Then the cues get times
//! that lie in their segment, in their order.

use crate::captions::clock::ticks_between;
use crate::captions::fresh::Shown;
use crate::captions::vtt::{Cue, Map, TICKS_PER_MS, Vtt};

/// A tick of the media's clock, and which event time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) tick: i64,
    pub(super) ms: i64,
}

impl Anchor {
    /// The event time of a tick.
    pub(super) fn at(self, tick: i64) -> i64 {
        self.ms + ticks_between(self.tick, tick).div_euclid(TICKS_PER_MS)
    }
}

/// When a segment begins and ends: event times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

impl Stretch {
    /// Whether a cue, when it is moved, overlaps it.
    fn holds(self, cue: &Cue, shift_ms: i64) -> bool {
        cue.end_ms + shift_ms > self.from_ms && cue.start_ms + shift_ms < self.to_ms
    }
}

/// From times of cues to event times. It remembers by how much cues were moved that no clock explains, so that they keep
/// their distances.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The clock, once it was read.
    pub(super) anchor: Option<Anchor>,
    guessed_ms: Option<i64>,
}

impl Places {
    /// By how much the cues of a segment move, by the clock; `None` without a clock, or if they would lie outside of it.
    pub(super) fn by_clock(&self, vtt: &Vtt, segment: Stretch) -> Option<i64> {
        let anchor = self.anchor?;
        let first_ms = vtt.cues.first()?.start_ms;
        let Map { ticks, local_ms } = vtt.map.unwrap_or_default();
        let shift_ms = anchor.at(ticks + (first_ms - local_ms) * TICKS_PER_MS) - first_ms;
        // Clocks of renditions may differ a little, and captions of a live stream may be late.
        let slack_ms = segment.to_ms - segment.from_ms;
        let near = Stretch { from_ms: segment.from_ms - slack_ms, to_ms: segment.to_ms + slack_ms };
        vtt.cues.iter().any(|cue| near.holds(cue, shift_ms)).then_some(shift_ms)
    }

    /// By how much they move where the clock does not tell.
    pub(super) fn by_segment(&mut self, vtt: &Vtt, segment: Stretch) -> i64 {
        let local_ms = vtt.map.map_or(0, |map| map.local_ms);
        let from_begin = segment.from_ms - local_ms;
        let fits = |shift_ms: &i64| vtt.cues.iter().all(|cue| segment.holds(cue, *shift_ms));
        let of_segment = Some(from_begin).filter(fits);
        let known = self.guessed_ms.filter(fits);
        let shift_ms = known.or(of_segment).unwrap_or_else(|| {
            let earliest = vtt.cues.iter().map(|cue| segment.from_ms - cue.end_ms + 1).max();
            let latest = vtt.cues.iter().map(|cue| segment.to_ms - cue.start_ms - 1).min();
            i64::midpoint(earliest.unwrap_or_default(), latest.unwrap_or_default())
        });
        // What counts from the beginning of each segment moves by another time in each.
        self.guessed_ms = Some(shift_ms).filter(|_| known.is_some() || of_segment.is_none());
        shift_ms
    }
}

/// The cues of a segment, moved; earliest first.
pub(super) fn moved(vtt: Vtt, shift_ms: i64) -> Vec<Shown> {
    let moved = |cue: Cue| Shown { start_ms: cue.start_ms + shift_ms, end_ms: cue.end_ms + shift_ms, lines: cue.lines };
    let mut cues: Vec<_> = vtt.cues.into_iter().map(moved).collect();
    cues.sort_by_key(|cue| cue.start_ms);
    cues
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Anchor, Places, Stretch, moved};
    use crate::captions::fresh::Fresh;
    use crate::captions::pending::Pending;
    use crate::captions::vtt::{Cue, Map, Vtt, parse};

    const SEGMENT: Stretch = Stretch { from_ms: 1_000_000, to_ms: 1_004_000 };

    fn vtt(map: Option<(i64, i64)>, cues: &[(i64, i64)]) -> Vtt {
        let cue = |&(start_ms, end_ms)| Cue { start_ms, end_ms, lines: vec!["text".into()] };
        let map = map.map(|(ticks, local_ms)| Map { ticks, local_ms });
        Vtt { map, cues: cues.iter().map(cue).collect() }
    }

    proptest! {
        #[test]
        fn no_captions_panic(text in "(X-TIMESTAMP-MAP=MPEGTS:[0-9]{1,20},LOCAL:[0-9]{1,9}:59:59.9\n|[0-9]{1,9}:01:00.0 --> [0-9]{1,9}:02:00.0\n[a-c]|\n){0,9}", tick in 0_i64..1 << 33) {
            let vtt = parse(format!("WEBVTT\n{text}").as_bytes()).expect("WebVTT");
            let mut places = clock(tick);
            let by_clock = places.by_clock(&vtt, SEGMENT);
            if !vtt.cues.is_empty() {
                let shift_ms = by_clock.unwrap_or_else(|| places.by_segment(&vtt, SEGMENT));
                let (mut fresh, mut pending) = (Fresh::default(), Pending::new(None));
                let mut given: Vec<_> = moved(vtt, shift_ms)
                    .into_iter()
                    .filter_map(|cue| fresh.of(cue, SEGMENT.from_ms).and_then(|caption| pending.add(caption)))
                    .collect();
                given.extend(pending.until(i64::MAX));
                prop_assert!(given.iter().all(|caption| caption.start_ms < caption.end_ms));
                prop_assert!(given.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
            }
        }
    }

    fn clock(tick: i64) -> Places {
        Places { anchor: Some(Anchor { tick, ms: SEGMENT.from_ms }), guessed_ms: None }
    }

    #[test]
    fn the_map_and_the_clock_of_the_media_tell_the_time() {
        let cues = vtt(Some((900_000, 0)), &[(61_000, 62_000)]);
        assert_eq!(clock(900_000 + 60_000 * 90).by_clock(&cues, SEGMENT), Some(SEGMENT.from_ms - 60_000));
        let later = vtt(Some((900_000, 60_000)), &[(61_000, 62_000)]);
        assert_eq!(clock(900_000).by_clock(&later, SEGMENT), Some(SEGMENT.from_ms - 60_000));
    }

    #[test]
    fn without_a_map_times_are_those_of_the_clock() {
        assert_eq!(clock(5_000 * 90).by_clock(&vtt(None, &[(6000, 7000)]), SEGMENT), Some(SEGMENT.from_ms - 5000));
    }

    #[test]
    fn a_clock_that_began_anew_is_followed() {
        let cues = vtt(Some(((1 << 33) - 90_000, 0)), &[(2000, 3000)]);
        assert_eq!(clock(0).by_clock(&cues, SEGMENT), Some(SEGMENT.from_ms - 1000));
    }

    #[test]
    fn a_clock_that_leads_out_of_the_segment_does_not_count() {
        let mut places = clock(0);
        let cues = vtt(Some((900_000_000, 0)), &[(500, 900), (3000, 5000)]);
        assert_eq!(places.by_clock(&cues, SEGMENT), None);
        assert_eq!(places.by_segment(&cues, SEGMENT), SEGMENT.from_ms, "times of the segment");
        let next = Stretch { from_ms: SEGMENT.to_ms, to_ms: SEGMENT.to_ms + 4000 };
        assert_eq!(places.by_segment(&vtt(None, &[(0, 500)]), next), next.from_ms);
    }

    #[test]
    fn cues_that_nothing_explains_lie_in_their_segment_and_keep_their_distances() {
        let mut places = Places::default();
        let shift_ms = places.by_segment(&vtt(None, &[(77_000, 78_000), (79_000, 80_000)]), SEGMENT);
        assert!((SEGMENT.from_ms..SEGMENT.to_ms).contains(&(77_500 + shift_ms)), "{shift_ms}");
        let next = Stretch { from_ms: SEGMENT.to_ms, to_ms: SEGMENT.to_ms + 4000 };
        assert_eq!(places.by_segment(&vtt(None, &[(81_000, 82_000)]), next), shift_ms);
    }
}
