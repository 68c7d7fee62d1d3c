//! Commits beside the thread that processes: a commit is some round trips, in which that has better to do.

use std::{sync::Arc, thread, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rdkafka::{TopicPartitionList, consumer::ConsumerGroupMetadata};

use super::sending::Sending;
use crate::transport::TransportError;

/// What belongs to one commit.
pub(super) struct Commit {
    pub(super) sending: Arc<Sending>,
    pub(super) offsets: TopicPartitionList,
    pub(super) membership: Arc<ConsumerGroupMetadata>,
}

impl Commit {
    /// Offsets first, then all of it.
    fn run(&self) -> Result<(), TransportError> {
        let Self { sending, offsets, membership } = self;
        sending.send_offsets(offsets, membership).map_err(TransportError::before_commit)?;
        sending.commit()
    }
}

/// A thread that commits; one commit at a time.
pub(super) struct Committer {
    commits: Sender<Commit>,
    answers: Receiver<Result<(), TransportError>>,
}

impl Committer {
    pub(super) fn start() -> Result<Self, TransportError> {
        let (commits, waiting) = unbounded::<Commit>();
        let (answer, answers) = unbounded();
        let work = move || {
            for commit in waiting {
                let done = commit.run();
                // Before the answer: whoever gets it may close the producer.
                drop(commit);
                // Whoever asked may have left.
                let _ = answer.send(done);
            }
        };
        let started = thread::Builder::new().name("commit".to_owned()).spawn(work);
        started.map(|_| Self { commits, answers }).map_err(|error| TransportError::Storage(error.into()))
    }

    pub(super) fn begin(&self, commit: Commit) -> Result<(), TransportError> {
        self.commits.send(commit).map_err(|_| gone())
    }

    /// The answer, if it comes within `timeout`.
    pub(super) fn answer(&self, timeout: Duration) -> Option<Result<(), TransportError>> {
        match self.answers.recv_timeout(timeout) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(gone())),
        }
    }
}

fn gone() -> TransportError {
    TransportError::Retriable("the thread that commits has ended".to_owned())
}
