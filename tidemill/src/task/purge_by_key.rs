//! Which head of a window store's changelog is dead where windows end key by key: all that was written before the
//! oldest rows that any key still needs.

use std::collections::VecDeque;

use crate::transport::Offset;

/// Commits that one stretch takes: what is purged is found in such steps.
const COMMITS: u64 = 64;

/// A stretch of the changelog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    first_epoch: u64,
    /// The commit that wrote the last of it.
    last_epoch: u64,
    /// The offset after it.
    end: Offset,
}

/// The stretches written since the last purge, oldest first.
#[derive(Debug, Default)]
pub(super) struct PurgeByKey {
    stretches: VecDeque<Stretch>,
    /// Up to where the changelog is dead, as far as that was found.
    dead: Option<Offset>,
}

impl PurgeByKey {
    /// After the commit `epoch` the changelog ends at `end`.
    pub(super) fn wrote(&mut self, end: Offset, epoch: u64) {
        // What was there before is a stretch of its own, for it may be long.
        let goes_on = |last: &&mut Stretch| last.first_epoch > 0 && epoch < last.first_epoch + COMMITS;
        match self.stretches.back_mut().filter(goes_on) {
            Some(last) => (last.last_epoch, last.end) = (epoch, end),
            None => self.stretches.push_back(Stretch { first_epoch: epoch, last_epoch: epoch, end }),
        }
    }

    /// Up to where the changelog is dead, if no row is needed that a commit before `kept_from` wrote. It is told again
    /// while nothing more dies.
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
