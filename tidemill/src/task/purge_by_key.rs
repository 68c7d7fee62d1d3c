//! Finds the dead head of a window store's changelog whose windows end key by key: the part before the oldest rows that
//! a key still needs.

use std::collections::VecDeque;

use crate::transport::Offset;

/// The number of commits in one stretch. Purges work in steps of stretches.
const COMMITS: u64 = 64;

/// A stretch of the changelog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    first_epoch: u64,
    /// The commit that wrote the end of the stretch.
    last_epoch: u64,
    /// The offset after the stretch.
    end: Offset,
}

/// The stretches written since the last purge, oldest first.
#[derive(Debug, Default)]
pub(super) struct PurgeByKey {
    stretches: VecDeque<Stretch>,
    /// The offset up to which the changelog is known to be dead.
    dead: Option<Offset>,
}

impl PurgeByKey {
    /// After the commit `epoch`, the changelog ends at `end`.
    pub(super) fn wrote(&mut self, end: Offset, epoch: u64) {
        // The restored part is a separate stretch, because it may be long.
        let goes_on = |last: &&mut Stretch| last.first_epoch > 0 && epoch < last.first_epoch + COMMITS;
        match self.stretches.back_mut().filter(goes_on) {
            Some(last) => (last.last_epoch, last.end) = (epoch, end),
            None => self.stretches.push_back(Stretch { first_epoch: epoch, last_epoch: epoch, end }),
        }
    }

    /// The offset up to which the changelog is dead, if no row from a commit before `kept_from` is needed. The same
    /// offset is returned until more is dead.
    pub(super) fn dead_below(&mut self, kept_from: u64) -> Option<Offset> {
        while self.stretches.front().is_some_and(|first| first.last_epoch < kept_from) {
            self.dead = self.stretches.pop_front().map(|first| first.end);
        }
        self.dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_oldest_needed_rows_do_not_reach_is_dead() {
        let mut purge = PurgeByKey::default();
        for epoch in 0..200 {
            purge.wrote(epoch as Offset * 10 + 10, epoch);
        }
        assert_eq!(purge.dead_below(0), None);
        assert_eq!(purge.dead_below(1), Some(10));
        assert_eq!(purge.dead_below(64), Some(10), "the second stretch is needed in part");
        assert_eq!(purge.dead_below(65), Some(650));
        assert_eq!(purge.dead_below(65), Some(650), "nothing more");
        assert_eq!(purge.dead_below(200), Some(2000));
    }
}
