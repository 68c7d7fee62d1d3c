//! Calls to an application's analyst: the call in the topology, and the host that runs its executor.

use std::{sync::Arc, time::Instant};

use prometheus::HistogramVec;
use tidemill::{
    AsyncCall, CallError, CallExecutor, CallExecutorHandle, CallPolicy, CallRequest, Caller, Data, Reply,
    transport::{Transport, TransportError},
};
use tokio::runtime::Handle;

use crate::apps::{Analyst, gemini::Gemini, to_call_error};

/// The step of a topology that calls an analyst.
pub struct Calls {
    /// The name of the call.
    pub name: &'static str,
    /// Starts the executor of the call, with [`Host::run`].
    pub start: fn(Host) -> Result<CallExecutorHandle, TransportError>,
}

/// Everything that an application's calls need to run.
pub struct Host {
    pub(crate) application: &'static str,
    pub(crate) model: Option<Gemini>,
    pub(crate) log: Arc<dyn Transport>,
    pub(crate) policy: CallPolicy,
    pub(crate) runtime: Handle,
    /// Duration of attempts in seconds, by analyst and outcome.
    pub(crate) seconds: HistogramVec,
}

impl Host {
    /// The Gemini model; `None` if the settings choose the offline analyst.
    pub fn model(&self) -> Option<Gemini> {
        self.model.clone()
    }

    /// Starts an executor whose calls go to an analyst.
    ///
    /// # Errors
    /// As [`CallExecutor::spawn`].
    pub fn run<K: Data + Send, W: Data + Send + Sync, O: Send + 'static>(
        self,
        call: &AsyncCall<K, W, O>,
        analyst: Arc<dyn Analyst<W, O>>,
    ) -> Result<CallExecutorHandle, TransportError> {
        let Self { application, log, policy, runtime, seconds, .. } = self;
        CallExecutor::spawn(call, application, log, policy, AnalystCaller { analyst, runtime, seconds })
    }
}

/// Calls an analyst. Each attempt is a task on the runtime, because executors have no runtime.
struct AnalystCaller<W, O> {
    analyst: Arc<dyn Analyst<W, O>>,
    runtime: Handle,
    seconds: HistogramVec,
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
