//! Commits in a separate thread. A commit takes several round trips, and the stream thread continues meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use rdkafka::{TopicPartitionList, consumer::ConsumerGroupMetadata};

use super::{sending::Sending, written::Written};
use crate::transport::{PendingCommit, Progress, TransportError, kafka::offsets::ANSWER};

/// How long sending offsets to the brokers may take. If the group's coordinator restarts at the wrong moment,
/// librdkafka may never return from this call, whatever timeout it was given (librdkafka 2.12, `rd_kafka_coord_req`).
/// This limit is only a little longer than that timeout, because an answer settles the transaction better than a new
/// producer does.
const STUCK: Duration = ANSWER.saturating_add(Duration::from_secs(10));

/// A transaction to commit.
pub(super) struct Work {
    pub(super) sending: Arc<Sending>,
    /// The offsets, and the member of the group that consumed the records.
    pub(super) offsets: Option<(TopicPartitionList, Arc<ConsumerGroupMetadata>)>,
}

impl Work {
    /// Sends the offsets first, and then commits the transaction.
    fn run(&self, told_offsets: &AtomicBool) -> Result<(), TransportError> {
        if let Some((offsets, membership)) = &self.offsets {
            self.sending.send_offsets(offsets, membership).map_err(TransportError::before_commit)?;
        }
        told_offsets.store(true, Ordering::SeqCst);
        self.sending.commit()
    }
}

/// The work, and the channel that reports its progress.
struct CommitJob {
    work: Work,
    told_offsets: Arc<AtomicBool>,
    answer: Sender<Result<(), TransportError>>,
}

/// The thread that commits. It makes one commit after the other.
pub(super) struct Committer {
    jobs: Sender<CommitJob>,
}

impl Committer {
    pub(super) fn start() -> Result<Self, TransportError> {
        let (jobs, waiting) = unbounded::<CommitJob>();
        let run = move || {
            for CommitJob { work, told_offsets, answer } in waiting {
                let done = work.run(&told_offsets);
                // The work is dropped before the answer, because the receiver of the answer may close the producer.
                drop(work);
                // The receiver may have been dropped.
                let _ = answer.send(done);
            }
        };
        let started = thread::Builder::new().name("commit".to_owned()).spawn(run);
        started.map(|_| Self { jobs }).map_err(|error| TransportError::Storage(error.into()))
    }

    pub(super) fn begin(&self, work: Work) -> Result<Answer, TransportError> {
        let (answer, answers) = bounded(1);
        let told_offsets = Arc::<AtomicBool>::default();
        self.jobs.send(CommitJob { work, told_offsets: told_offsets.clone(), answer }).map_err(|_| gone())?;
        Ok(Answer { answers, begun: Instant::now(), told_offsets })
    }
}

/// The pending answer of the thread.
pub(super) struct Answer {
    answers: Receiver<Result<(), TransportError>>,
    begun: Instant,
    /// Whether the brokers have the offsets.
    told_offsets: Arc<AtomicBool>,
}

impl Answer {
    /// The answer if it arrives within `timeout`, or an error if there will be no answer. In that case librdkafka's
    /// resources are freed if its call returns after all.
    fn await_for(&self, timeout: Duration) -> Option<Result<(), TransportError>> {
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

/// A transaction that is being committed.
pub(super) struct KafkaCommit {
    pub(super) answer: Answer,
    pub(super) written: Written,
}

impl PendingCommit for KafkaCommit {
    fn poll(self: Box<Self>, timeout: Duration) -> Result<Progress, TransportError> {
        match self.answer.await_for(timeout) {
            None => Ok(Progress::Pending(self)),
            Some(answer) => answer.map(|()| Progress::Done(self.written.take_ends())),
        }
    }

    /// Records cannot be sent ahead on the same partitions while this transaction's records are in flight: they might
    /// overtake them.
    fn may_send_ahead(&mut self) -> bool {
        self.written.sending.has_landed()
    }
}

fn stuck() -> TransportError {
    TransportError::Retriable("librdkafka did not finish sending the offsets to the brokers".into())
}

fn gone() -> TransportError {
    TransportError::Retriable("the commit thread has ended".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_librdkafka_does_not_come_back_from_is_given_up_before_its_offsets_are_told() {
        let (_answer, answers) = bounded(1);
        let told_offsets = Arc::new(AtomicBool::new(false));
        let mut answer = Answer { answers, begun: Instant::now(), told_offsets };
        assert!(answer.await_for(Duration::ZERO).is_none(), "it may still come back");
        answer.begun = Instant::now().checked_sub(STUCK * 2).expect("the machine runs for longer");
        assert!(matches!(answer.await_for(Duration::ZERO), Some(Err(TransportError::Retriable(_)))));
        answer.told_offsets.store(true, Ordering::SeqCst);
        assert!(answer.await_for(Duration::ZERO).is_none(), "the rest keeps to its time");
    }
}
