//! Makes analysts' calls on tokio for the executors, which know no runtime.

use std::{sync::Arc, time::Instant};

use prometheus::HistogramVec;
use tidemill_topology::{CallError, CallRequest, Caller, Reply};
use tokio::runtime::Handle;

use crate::apps::{Analyst, to_call_error};

/// Calls an analyst, each attempt a task of its own.
pub(super) struct AnalystCaller<W, O> {
    pub(super) analyst: Arc<dyn Analyst<W, O>>,
    pub(super) runtime: Handle,
    pub(super) seconds: HistogramVec,
}

impl<K, W, O> Caller<K, W, O> for AnalystCaller<W, O>
where
    K: Send + 'static,
    W: Send + Sync + 'static,
    O: Send + 'static,
{
    fn call(&mut self, request: CallRequest<K, W>, reply: Reply<O>) {
        let (analyst, seconds) = (self.analyst.clone(), self.seconds.clone());
        self.runtime.spawn(async move {
            let started = Instant::now();
            let answer = tokio::time::timeout(reply.timeout(), analyst.analyze(&request.value)).await;
            let (outcome, label) = match answer {
                Ok(Ok(outcome)) => (Ok(outcome), "ok"),
                Ok(Err(error)) => (Err(to_call_error(&error)), "error"),
                Err(_) => (Err(CallError::transient("the analyst took too long")), "timeout"),
            };
            seconds.with_label_values(&[analyst.name(), label]).observe(started.elapsed().as_secs_f64());
            reply.send(outcome);
        });
    }
}
