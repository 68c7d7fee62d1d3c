//! Carries the result of a call back to the executor.

use std::time::Duration;

use crossbeam_channel::Sender;

use super::CallError;

/// The result of one attempt.
pub(super) struct Answer<R> {
    pub(super) job: u64,
    pub(super) attempt: u32,
    pub(super) outcome: Result<R, CallError>,
}

/// Takes the result of an attempt, from any thread. If it is dropped without a result, it reports a transient error. A
/// call that panicked or was cancelled is therefore retried. See the example of [`Caller`](crate::Caller).
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

    /// How long the attempt may take, in wall time ([`CallPolicy::timeout`](crate::CallPolicy::timeout)). The executor
    /// ignores an answer that comes later. See the example of [`Caller`](crate::Caller).
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Ends the attempt with an answer or an error. See the example of [`Caller`](crate::Caller).
    pub fn send(mut self, outcome: Result<R, CallError>) {
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: Result<R, CallError>) {
        if let Some(sender) = self.sender.take() {
            // If the executor has ended, the next executor makes the call again.
            let _ = sender.send(Answer { job: self.job, attempt: self.attempt, outcome });
        }
    }
}

impl<R> Drop for Reply<R> {
    fn drop(&mut self) {
        self.finish(Err(CallError::transient("the call ended without an answer")));
    }
}
