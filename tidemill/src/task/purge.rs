//! Finds the dead head of a window store's changelog: the part with expired windows only, which no restore needs.
//!
//! Retention by age would keep a day of all records. This method keeps only open windows.

use std::collections::VecDeque;

use crate::transport::Offset;

/// A stretch of the changelog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    /// The offset after the stretch.
    end: Offset,
    /// The latest window start of the stretch's rows.
    last_start: i64,
}

/// The stretches written since the last purge, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Purge {
    stretches: VecDeque<Stretch>,
    /// The end of the changelog after the last commit.
    end: Offset,
    /// The store's own notes, for example its time, were last written at or after this offset. They must stay.
    noted_from: Offset,
    /// The offset up to which the changelog is known to be dead.
    dead: Option<Offset>,
}

impl Purge {
    /// A commit wrote rows with window starts up to `last_start`, and possibly notes. Now the changelog ends at `end`.
    pub(crate) fn wrote(&mut self, end: Offset, last_start: i64, notes: bool) {
        if notes {
            self.noted_from = self.end;
        }
        self.end = end;
        match self.stretches.back_mut() {
            Some(last) if last.last_start >= last_start => last.end = end,
            _ => self.stretches.push_back(Stretch { end, last_start }),
        }
    }

    /// The offset up to which the changelog is dead, if windows that start before `expired_before` are expired. The
    /// same offset is returned until more is dead, so a failed deletion is tried again.
    pub(crate) fn dead_below(&mut self, expired_before: i64) -> Option<Offset> {
        let is_dead = |first: &Stretch| first.last_start < expired_before && first.end <= self.noted_from;
        while self.stretches.front().is_some_and(is_dead) {
            self.dead = self.stretches.pop_front().map(|first| first.end);
        }
        self.dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_only_expired_windows_is_dead() {
        let mut purge = Purge::default();
        for (end, last_start) in [(10, 0), (20, 60), (30, 60), (40, 120)] {
            purge.wrote(end, last_start, true);
        }
        assert_eq!(purge.dead_below(0), None);
        assert_eq!(purge.dead_below(60), Some(10));
        assert_eq!(purge.dead_below(60), Some(10), "nothing more");
        assert_eq!(purge.dead_below(120), Some(30));
    }

    #[test]
    fn what_could_not_be_deleted_is_told_again_though_nothing_more_dies() {
        let mut purge = Purge::default();
        purge.wrote(10, 0, true);
        purge.wrote(20, 60, true);
        assert_eq!((purge.dead_below(60), purge.dead_below(60)), (Some(10), Some(10)));
    }

    #[test]
    fn the_last_notes_stay() {
        let mut purge = Purge::default();
        purge.wrote(10, -1, true);
        purge.wrote(20, 0, false);
        assert_eq!(purge.dead_below(1_000), None);
        purge.wrote(30, 60, true);
        assert_eq!(purge.dead_below(1_000), Some(20));
    }

    #[test]
    fn a_late_row_of_an_earlier_window_does_not_shorten_a_stretch() {
        let mut purge = Purge::default();
        for (end, last_start) in [(10, 60), (20, 0), (30, 120)] {
            purge.wrote(end, last_start, true);
        }
        assert_eq!(purge.dead_below(60), None);
        assert_eq!(purge.dead_below(61), Some(20));
    }
}
