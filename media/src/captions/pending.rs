//! Captions one after the other: each ends where the next one begins, and nothing is given twice.

use crate::clips::Caption;

/// The longest caption. Some encoders do not know yet when a cue ends, and write a time that never comes.
const LONGEST_MS: i64 = 15_000;

/// Holds a caption back until it is known when it ends.
#[derive(Debug)]
pub(super) struct Pending {
    waiting: Option<Caption>,
    /// Captions before this time were given.
    floor_ms: i64,
}

impl Pending {
    /// Captions up to `after_ms` were given by an earlier reader.
    pub(super) fn new(after_ms: Option<i64>) -> Self {
        Self { waiting: None, floor_ms: after_ms.unwrap_or(i64::MIN) }
    }

    /// Adds the next caption. Returns the one before it, which has ended.
    pub(super) fn add(&mut self, mut caption: Caption) -> Option<Caption> {
        caption.end_ms = caption.end_ms.min(caption.start_ms + LONGEST_MS);
        let Some(waiting) = &mut self.waiting else {
            self.waiting = Some(caption);
            return None;
        };
        // Two of the same time would be taken for one by whoever knows captions by their times.
        if caption.start_ms <= waiting.start_ms {
            waiting.text = format!("{} {}", waiting.text, caption.text);
            waiting.end_ms = waiting.end_ms.max(caption.end_ms);
            return None;
        }
        waiting.end_ms = waiting.end_ms.min(caption.start_ms);
        let ended = self.waiting.replace(caption);
        ended.and_then(|ended| self.give(ended))
    }

    /// The caption that waits, if it ends before this time.
    pub(super) fn until(&mut self, ms: i64) -> Option<Caption> {
        self.waiting.take_if(|waiting| waiting.end_ms <= ms).and_then(|ended| self.give(ended))
    }

    /// A time may differ a little when it is read again, so the middle decides whether a caption was given.
    fn give(&mut self, mut caption: Caption) -> Option<Caption> {
        if i64::midpoint(caption.start_ms, caption.end_ms) <= self.floor_ms {
            return None;
        }
        caption.start_ms = caption.start_ms.max(self.floor_ms);
        self.floor_ms = caption.end_ms;
        Some(caption)
    }
}

#[cfg(test)]
mod tests {
    use super::Pending;
    use crate::clips::Caption;

    fn given(after_ms: Option<i64>, captions: &[(i64, i64, &str)]) -> Vec<(i64, i64, String)> {
        let mut pending = Pending::new(after_ms);
        let mut given = Vec::new();
        for &(start_ms, end_ms, text) in captions {
            given.extend(pending.add(Caption { text: text.to_owned(), start_ms, end_ms }));
        }
        given.extend(pending.until(i64::MAX));
        given.into_iter().map(|caption| (caption.start_ms, caption.end_ms, caption.text)).collect()
    }

    #[test]
    fn a_caption_ends_where_the_next_one_begins_and_two_at_once_are_one() {
        let captions = [(0, 5000, "a"), (2000, 3000, "b"), (4000, 5000, "c"), (4000, 5500, "d"), (9000, i64::MAX, "e")];
        assert_eq!(
            given(None, &captions),
            [(0, 2000, "a".into()), (2000, 3000, "b".into()), (4000, 5500, "c d".into()), (9000, 24_000, "e".into())]
        );
    }

    #[test]
    fn what_was_given_before_is_not_given_again_though_times_moved_a_little() {
        let captions = [(0, 2000, "a"), (2000, 4040, "b"), (4040, 5000, "c")];
        assert_eq!(given(Some(4000), &captions), [(4040, 5000, "c".into())]);
        let earlier = [(2000, 3960, "b"), (3960, 5000, "c")];
        assert_eq!(given(Some(4000), &earlier), [(4000, 5000, "c".into())]);
    }

    #[test]
    fn a_caption_is_given_as_soon_as_it_has_ended() {
        let mut pending = Pending::new(None);
        assert_eq!(pending.add(Caption { text: "a".into(), start_ms: 1000, end_ms: 3000 }), None);
        assert_eq!(pending.until(2000), None);
        assert_eq!(pending.until(4000).map(|caption| caption.end_ms), Some(3000));
        assert_eq!(pending.until(6000), None);
    }
}
