//! Tracks which requests of a partition are answered. Answers may come in any order.

use std::collections::BTreeSet;

use crate::transport::Offset;

/// The progress in one partition.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Offsets of requests whose response was not written yet.
    open: BTreeSet<Offset>,
    /// The offset after the last request read.
    next: Offset,
    committed: Option<Offset>,
}

impl Progress {
    pub(super) fn taken(&mut self, offset: Offset) {
        self.open.insert(offset);
        self.next = offset + 1;
    }

    pub(super) fn answered(&mut self, offset: Offset) {
        self.open.remove(&offset);
    }

    /// The offset below which all requests are answered, if it has changed since the last commit.
    pub(super) fn to_commit(&self) -> Option<Offset> {
        let done = self.open.first().copied().unwrap_or(self.next);
        (self.next > 0 && self.committed != Some(done)).then_some(done)
    }

    pub(super) fn committed(&mut self, offset: Offset) {
        self.committed = Some(offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_request_holds_back_those_after_it() {
        let mut progress = Progress::default();
        assert_eq!(progress.to_commit(), None);
        (5..8).for_each(|offset| progress.taken(offset));
        progress.answered(6);
        assert_eq!(progress.to_commit(), Some(5));
        progress.committed(5);
        assert_eq!(progress.to_commit(), None);
        progress.answered(5);
        assert_eq!(progress.to_commit(), Some(7));
        progress.answered(7);
        assert_eq!(progress.to_commit(), Some(8));
    }
}
