//! Commits beside the thread that processes: a commit is some round trips, in which that has better to do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rdkafka::{TopicPartitionList, consumer::ConsumerGroupMetadata};

use super::sending::Sending;
use crate::transport::{TransportError, kafka::offsets::ANSWER};

/// How long librdkafka may take to tell the brokers of offsets. Where the group's coordinator restarts at the wrong
/// moment it may never come back from that, whatever time it was given (librdkafka 2.12, `rd_kafka_coord_req`). Not much
/// longer than that time: an answer settles the transaction better than a new producer does.
const STUCK: Duration = ANSWER.saturating_add(Duration::from_secs(10));

/// What belongs to one commit.
pub(super) struct Commit {
    pub(super) sending: Arc<Sending>,
    pub(super) offsets: TopicPartitionList,
    pub(super) membership: Arc<ConsumerGroupMetadata>,
}

impl Commit {
    /// Offsets first, then all of it.
    fn run(&self, told_offsets: &AtomicBool) -> Result<(), TransportError> {
        let Self { sending, offsets, membership } = self;
        sending.send_offsets(offsets, membership).map_err(TransportError::before_commit)?;
        told_offsets.store(true, Ordering::SeqCst);
        sending.commit()
    }
}

/// A thread that commits; one commit at a time.
pub(super) struct Committer {
    commits: Sender<Commit>,
    answers: Receiver<Result<(), TransportError>>,
    begun: Instant,
    /// The brokers know of the offsets.
    told_offsets: Arc<AtomicBool>,
}

impl Committer {
    pub(super) fn start() -> Result<Self, TransportError> {
        let (commits, waiting) = unbounded::<Commit>();
        let (answer, answers) = unbounded();
        let told_offsets = Arc::new(AtomicBool::new(false));
        let told = told_offsets.clone();
        let work = move || {
            for commit in waiting {
                let done = commit.run(&told);
                // Before the answer: whoever gets it may close the producer.
                drop(commit);
                // Whoever asked may have left.
                let _ = answer.send(done);
            }
        };
        let started = thread::Builder::new().name("commit".to_owned()).spawn(work);
        let started = started.map_err(|error| TransportError::Storage(error.into()));
        started.map(|_| Self { commits, answers, begun: Instant::now(), told_offsets })
    }

    pub(super) fn begin(&mut self, commit: Commit) -> Result<(), TransportError> {
        self.begun = Instant::now();
        self.told_offsets.store(false, Ordering::SeqCst);
        self.commits.send(commit).map_err(|_| gone())
    }

    /// The answer, if it comes within `timeout`; or that there will be none. What librdkafka holds then is freed when it
    /// comes back after all.
    pub(super) fn answer(&self, timeout: Duration) -> Option<Result<(), TransportError>> {
        match self.answers.recv_timeout(timeout) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) if self.is_stuck() => Some(Err(stuck())),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(gone())),
        }
    }

    fn is_stuck(&self) -> bool {
        self.begun.elapsed() > STUCK && !self.told_offsets.load(Ordering::SeqCst)
    }
}

fn stuck() -> TransportError {
    TransportError::Retriable("librdkafka does not come back from telling the brokers of offsets".to_owned())
}

fn gone() -> TransportError {
    TransportError::Retriable("the thread that commits has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_librdkafka_does_not_come_back_from_is_given_up_before_its_offsets_are_told() {
        let ((commits, _waiting), (_answer, answers)) = (unbounded(), unbounded());
        let told_offsets = Arc::new(AtomicBool::new(false));
        let mut committer = Committer { commits, answers, begun: Instant::now(), told_offsets };
        assert!(committer.answer(Duration::ZERO).is_none(), "it may still come back");
        committer.begun = Instant::now().checked_sub(STUCK * 2).expect("the machine runs for longer");
        assert!(matches!(committer.answer(Duration::ZERO), Some(Err(TransportError::Retriable(_)))));
        committer.told_offsets.store(true, Ordering::SeqCst);
        assert!(committer.answer(Duration::ZERO).is_none(), "the rest keeps to its time");
    }
}
