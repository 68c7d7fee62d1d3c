//! Carries the result of a call back to the executor.

use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::Sender;

use super::{CallError, Usage, calls::CallId};

/// What an attempt tells its executor.
pub(super) enum Message<R> {
    Answer(Answer<R>),
    Step(Step),
}

/// The result of one attempt.
pub(super) struct Answer<R> {
    pub(super) call: CallId,
    pub(super) attempt: u32,
    pub(super) outcome: Result<R, CallError>,
    pub(super) usage: Option<Usage>,
    pub(super) details: String,
}

/// A finished part of an attempt.
pub(super) struct Step {
    pub(super) call: CallId,
    pub(super) attempt: u32,
    pub(super) content: Bytes,
    pub(super) done: Box<dyn FnOnce(bool) + Send>,
}

/// Takes the result of an attempt, from any thread. If it is dropped without a result, it reports a transient error. A
/// call that panicked or was cancelled is therefore retried. See the example of [`Caller`](crate::Caller).
pub struct Reply<R> {
    call: CallId,
    attempt: u32,
    timeout: Duration,
    usage: Option<Usage>,
    details: String,
    sender: Option<Sender<Message<R>>>,
}

impl<R> Reply<R> {
    pub(super) fn new(call: CallId, attempt: u32, timeout: Duration, sender: Sender<Message<R>>) -> Self {
        let (usage, details) = (None, String::new());
        Self { call, attempt, timeout, usage, details, sender: Some(sender) }
    }

    /// The attempt that this is for.
    pub(super) const fn attempt(&self) -> (CallId, u32) {
        (self.call, self.attempt)
    }

    /// Ends an attempt that was not handed to the caller.
    pub(super) fn not_made(self) {
        self.with_usage(Usage::default()).send(Err(CallError::transient("the attempt was given up before it began")));
    }

    /// How long the attempt may take, in wall time ([`CallPolicy::timeout`](crate::CallPolicy::timeout)). The executor
    /// ignores an answer that comes later. See the example of [`Caller`](crate::Caller).
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Adds what the attempt has consumed so far. It counts whatever the outcome is, also if the answer comes too late.
    /// If an attempt does not tell, the most that it may have consumed counts ([`Caller::most`](crate::Caller::most)):
    /// nobody knows whether a call was paid whose connection broke. So tell zero if it certainly consumed nothing.
    ///
    /// ```
    /// # use tidemill::{CallRequest, Reply, Usage};
    /// let model = |essay: CallRequest<u64, String>, reply: Reply<i64>| {
    ///     let usage = Usage { input_tokens: essay.value.len() as u64 / 4, output_tokens: 1, cost_micros: 12 };
    ///     reply.with_usage(usage).with_details("rubric-3").send(Ok(1));
    /// };
    /// # let _ = model;
    /// ```
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = Some(self.usage.unwrap_or_default() + usage);
        self
    }

    /// Tells more about the answer; [`CallReport::details`](crate::CallReport::details) has it. See the example of
    /// [`Reply::with_usage`].
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// Keeps a finished part of the attempt, so that an attempt after a crash need not do it again: it finds it in
    /// [`CallRequest::steps`](crate::CallRequest::steps). `done` is called when the step is in the log, with `false` if
    /// this attempt is given up. Continue only after `true`. Steps are deleted when the request has its answer.
    pub fn keep_step(&self, content: Bytes, done: impl FnOnce(bool) + Send + 'static) {
        let step = Step { call: self.call, attempt: self.attempt, content, done: Box::new(done) };
        if let Some(sender) = &self.sender
            && let Err(unsent) = sender.send(Message::Step(step))
            && let Message::Step(step) = unsent.into_inner()
        {
            (step.done)(false);
        }
    }

    /// Ends the attempt with an answer or an error. See the example of [`Caller`](crate::Caller).
    pub fn send(mut self, outcome: Result<R, CallError>) {
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: Result<R, CallError>) {
        if let Some(sender) = self.sender.take() {
            // If the executor has ended, the next executor makes the call again.
            let (usage, details) = (self.usage, std::mem::take(&mut self.details));
            let answer = Answer { call: self.call, attempt: self.attempt, outcome, usage, details };
            let _ = sender.send(Message::Answer(answer));
        }
    }
}

impl<R> Drop for Reply<R> {
    fn drop(&mut self) {
        self.finish(Err(CallError::transient("the call ended without an answer")));
    }
}
