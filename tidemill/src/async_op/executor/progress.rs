//! Tracks which requests of a partition are answered. Answers may come in any order.
//!
//! The committed offset is the first request without an answer. The answered requests after it are in the commit's
//! metadata, so the next owner of the partition does not call them again.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::transport::{CommittedOffset, Offset};

/// Kafka takes 4,096 bytes of metadata by default. The next owner finds requests that do not fit among the responses.
const MAX_BYTES: usize = 3_900;
/// So many answered requests are taken from metadata.
const MOST_NOTED: Offset = 1 << 20;
const FORMAT: &str = "calls1";

/// The progress in one partition.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Offsets of requests whose response was not written yet.
    open: BTreeSet<Offset>,
    /// Answered requests that an earlier owner has noted and that were not read yet.
    noted: BTreeSet<Offset>,
    /// Answered requests after the first open one.
    answered: BTreeSet<Offset>,
    /// The offset after the last request read.
    next: Offset,
    /// Responses to requests that are not noted as answered lie at this offset of the response partition, or after it.
    responses_from: Offset,
    /// Where the responses end if nobody else has written since the last look.
    responses_end: Offset,
    /// An executor that had lost the partition, without knowing it, has answered requests before this offset.
    answered_elsewhere: Offset,
    committed: Option<CommittedOffset>,
    /// Whether there may be something to commit.
    changed: bool,
    /// Whether the last metadata had room for all answered requests.
    fits: bool,
}

impl Progress {
    /// Goes on after an earlier owner. Returns where the responses begin that it may not have noted.
    pub(super) fn after(committed: Option<&CommittedOffset>) -> (Self, Option<Offset>) {
        let Some(committed) = committed else { return (Self::default(), Some(0)) };
        let mut progress = Self { next: committed.offset, changed: true, ..Self::default() };
        let mut parts = committed.metadata.split(' ');
        if parts.next() != Some(FORMAT) {
            return (progress, None);
        }
        let responses_from = parts.next().and_then(|text| text.parse().ok());
        progress.responses_from = responses_from.unwrap_or_default();
        let mut at = committed.offset;
        for part in parts {
            let numbers = part.split_once('+').and_then(|(skip, run)| Some((skip.parse().ok()?, run.parse().ok()?)));
            let Some((skip, run)): Option<(Offset, Offset)> = numbers else { break };
            at = at.saturating_add(skip);
            // No owner writes more, but anybody may write metadata.
            if run < 0 || progress.noted.len() as Offset + run > MOST_NOTED {
                break;
            }
            progress.noted.extend(at..at.saturating_add(run));
            at = at.saturating_add(run);
        }
        (progress, responses_from)
    }

    /// Takes a request that was read. Returns whether an earlier owner has answered it.
    pub(super) fn taken(&mut self, offset: Offset) -> bool {
        self.changed = true;
        self.next = offset + 1;
        if self.noted.remove(&offset) {
            self.answered.insert(offset);
            return true;
        }
        self.open.insert(offset);
        false
    }

    pub(super) fn answered(&mut self, offset: Offset) {
        if self.open.remove(&offset) {
            self.answered.insert(offset);
            self.changed = true;
        }
    }

    /// Notes that this executor has written a response.
    pub(super) fn responded(&mut self) {
        self.responses_end += 1;
    }

    /// Notes where the responses end when the partition is taken over, before they are read.
    pub(super) fn responses_end_at(&mut self, end: Offset) {
        self.responses_end = end;
    }

    /// Whether all responses up to this end were written by this executor, or read by it. If not, `requests_end` tells
    /// where the requests end: those before it may have been answered elsewhere.
    pub(super) fn knows_responses<E>(
        &mut self,
        end: Offset,
        requests_end: impl FnOnce() -> Result<Offset, E>,
    ) -> Result<bool, E> {
        if end != self.responses_end {
            self.answered_elsewhere = requests_end()?;
            self.responses_end = end;
        }
        Ok(self.first_open() >= self.answered_elsewhere)
    }

    fn first_open(&self) -> Offset {
        self.open.first().copied().unwrap_or(self.next)
    }

    /// How far the last request read is ahead of the first open one.
    pub(super) fn span(&self) -> Offset {
        self.open.first().map_or(0, |first| self.next - first)
    }

    /// Notes where the responses end, unless some answered request has no room in the metadata: the next owner must
    /// find its response.
    pub(super) fn answers_end_at(&mut self, offset: Offset) {
        if self.fits {
            self.responses_from = offset;
            self.changed = true;
        }
    }

    /// What to commit, if it has changed since the last commit.
    pub(super) fn next_commit(&mut self) -> Option<CommittedOffset> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let offset = self.first_open();
        self.answered = self.answered.split_off(&offset);
        self.noted = self.noted.split_off(&offset);
        let beyond: BTreeSet<_> = self.answered.union(&self.noted).copied().collect();
        self.fits = true;
        let mut metadata = format!("{FORMAT} {}", self.responses_from);
        let (mut at, mut offsets) = (offset, beyond.iter().copied().peekable());
        while let Some(first) = offsets.next() {
            let mut end = first + 1;
            while offsets.next_if_eq(&end).is_some() {
                end += 1;
            }
            if metadata.len() > MAX_BYTES {
                self.fits = false;
                break;
            }
            let _ = write!(metadata, " {}+{}", first - at, end - first);
            at = end;
        }
        let commit = CommittedOffset { offset, metadata };
        (self.next > 0 && self.committed.as_ref() != Some(&commit)).then_some(commit)
    }

    pub(super) fn committed(&mut self, commit: CommittedOffset) {
        self.committed = Some(commit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(progress: &mut Progress) -> Option<Offset> {
        let commit = progress.next_commit()?;
        let offset = commit.offset;
        progress.committed(commit);
        Some(offset)
    }

    #[test]
    fn an_open_request_holds_back_those_after_it() {
        let mut progress = Progress::default();
        assert_eq!(offset(&mut progress), None);
        (5..8).for_each(|offset| assert!(!progress.taken(offset)));
        progress.answered(6);
        assert_eq!(offset(&mut progress), Some(5));
        assert_eq!(offset(&mut progress), None);
        progress.answered(5);
        assert_eq!(offset(&mut progress), Some(7));
        progress.answered(7);
        assert_eq!(offset(&mut progress), Some(8));
    }

    #[test]
    fn the_next_owner_knows_what_was_answered_behind_an_open_request() {
        let mut progress = Progress::default();
        (10..30).for_each(|offset| assert!(!progress.taken(offset)));
        (12..15).chain([20, 29]).for_each(|offset| progress.answered(offset));
        assert!(progress.next_commit().is_some());
        progress.answers_end_at(77);
        let commit = progress.next_commit().expect("progress");
        assert_eq!((commit.offset, &*commit.metadata), (10, "calls1 77 2+3 5+1 8+1"));
        let (mut next, responses_from) = Progress::after(Some(&commit));
        assert_eq!(responses_from, Some(77));
        let open: Vec<_> = (10..30).filter(|offset| !next.taken(*offset)).collect();
        let expected: Vec<_> = (10..30).filter(|offset| ![12, 13, 14, 20, 29].contains(offset)).collect();
        assert_eq!(open, expected);
        for offset in &open {
            next.answered(*offset);
        }
        assert_eq!(next.next_commit().map(|commit| commit.offset), Some(30));
    }

    #[test]
    fn what_an_owner_has_not_read_yet_stays_noted_for_the_one_after_it() {
        let commit = CommittedOffset { offset: 5, metadata: "calls1 0 3+2".to_owned() };
        let (mut progress, _) = Progress::after(Some(&commit));
        assert!(!progress.taken(5));
        assert_eq!(progress.next_commit(), Some(commit));
    }

    #[test]
    fn metadata_of_another_format_is_ignored_and_stays_within_the_brokers_limit() {
        let commit = CommittedOffset { offset: 5, metadata: "1700000000000".to_owned() };
        assert_eq!(Progress::after(Some(&commit)).1, None);
        assert!(!Progress::after(Some(&commit)).0.taken(5));
        let mut progress = Progress::default();
        (0..40_000).for_each(|offset| assert!(!progress.taken(offset)));
        (1..40_000).step_by(2).for_each(|offset| progress.answered(offset));
        assert!(progress.next_commit().is_some_and(|commit| commit.metadata.len() < 4_000));
    }

    #[test]
    fn while_answered_requests_have_no_room_in_the_commit_their_responses_are_still_looked_for() {
        let mut progress = Progress::default();
        (0..40_000).for_each(|offset| assert!(!progress.taken(offset)));
        (1..40_000).step_by(2).for_each(|offset| progress.answered(offset));
        let responses_from = |progress: &mut Progress| {
            progress.changed = true;
            Progress::after(progress.next_commit().as_ref()).1
        };
        assert!(progress.next_commit().is_some());
        progress.answers_end_at(20_000);
        assert_eq!(responses_from(&mut progress), Some(0), "they do not fit");
        (0..40_000).step_by(2).for_each(|offset| progress.answered(offset));
        assert_eq!(responses_from(&mut progress), Some(0));
        progress.answers_end_at(40_000);
        assert_eq!(responses_from(&mut progress), Some(40_000), "they fit again");
    }
}
