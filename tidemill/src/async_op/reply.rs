//! The way back from a call that runs somewhere else.

use std::time::Duration;

use crossbeam_channel::Sender;

use super::CallError;

/// What came of one attempt.
pub(super) struct Answer<R> {
    pub(super) job: u64,
    pub(super) attempt: u32,
    pub(super) outcome: Result<R, CallError>,
}

/// Where an attempt's result goes, from any thread. Dropped without a result, it reports a transient error, so that a
/// call which panicked or was cancelled is tried again.
pub struct Reply<R> {
    job: u64,
    attempt: u32,
    timeout: Duration,
    sender: Option<Sender<Answer<R>>>,
}

impl<R> Reply<R> {
    pub(super) fn new(job: u64, attempt: u32, timeout: Duration, sender: Sender<Answer<R>>) -> Self {
        Self { job, attempt, timeout, sender: Some(sender) }
    }

    /// How long the attempt may take. An answer that comes later is not looked at.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Ends the attempt.
    pub fn send(mut self, outcome: Result<R, CallError>) {
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: Result<R, CallError>) {
        if let Some(sender) = self.sender.take() {
            // An executor that has ended makes the call again when it is back.
            let _ = sender.send(Answer { job: self.job, attempt: self.attempt, outcome });
        }
    }
}

impl<R> Drop for Reply<R> {
    fn drop(&mut self) {
        self.finish(Err(CallError::transient("the call ended without an answer")));
    }
}
