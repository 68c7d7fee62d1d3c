//! Calls to an application's analyst: the call in the topology, and the host that runs its executor.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tidemill::{
    AsyncCall, CallError, CallExecutor, CallExecutorHandle, CallPolicy, CallRequest, Caller, Data, Reply, Route,
    Windowed, WindowedCodec,
    llm::{ModelTask, Prompt, Tool},
    state::{Codec as _, Utf8},
    transport::{ConsumedRecord, ProducerRecord, Transport, TransportError},
};
use tokio::runtime::Handle;

use super::{App, Asked, Windows};
use crate::apps::{Analyst, EarlierResults, Format, ModelSettings, provenance::OFFLINE, to_call_error};

/// The step of a topology that calls an analyst.
pub struct Calls {
    /// The name of the call.
    pub name: &'static str,
    /// Starts the executor of the call, with [`Host::run`].
    pub start: fn(Host) -> Result<CallExecutorHandle, TransportError>,
    /// The record that asks a dead letter's request again ([`AsyncCall::ask_again`]), from the dead letter and its
    /// partition; `None` if the record is no dead letter.
    pub ask_again: fn(i32, &ConsumedRecord) -> Option<ProducerRecord>,
    /// What its models are asked.
    pub asked: Asked,
    /// The setting that names the file of another prompt, such as `live.prompt`.
    pub prompt_setting: &'static str,
}

/// A call's key, for people: the owner and the start of the window.
pub(crate) fn shown_key(key: &Bytes) -> Value {
    let windowed: Result<Windowed<String>, _> = WindowedCodec::new(Utf8).decode(key.clone());
    match windowed {
        Ok(Windowed { key, window }) => json!({ "id": key, "window_start_ms": window.start }),
        Err(_) => json!({ "id": String::from_utf8_lossy(key) }),
    }
}

/// The content of a request or an answer, for people: JSON if it is JSON, else text.
pub(crate) fn shown_content(content: &Bytes) -> Value {
    let text = || Value::String(String::from_utf8_lossy(content).into_owned());
    serde_json::from_slice(content).unwrap_or_else(|_| text())
}

/// The tenant of an owner's id.
pub type TenantOf = Arc<dyn Fn(&str) -> Arc<str> + Send + Sync>;

/// Everything that an application's calls need to run.
pub struct Host {
    pub(crate) app: App,
    pub(crate) format: Format,
    pub(crate) models: Option<ModelSettings>,
    /// The prompt, if the settings name another one.
    pub(crate) prompt: Option<Arc<Prompt>>,
    pub(crate) windows: Windows,
    pub(crate) log: Arc<dyn Transport>,
    pub(crate) policy: CallPolicy,
    pub(crate) runtime: Handle,
    pub(crate) tenant_of: TenantOf,
}

impl Host {
    /// The prompt, if the settings name another one than the application's.
    pub fn prompt(&self) -> Option<Arc<Prompt>> {
        self.prompt.clone()
    }

    /// The application's windows.
    pub fn windows(&self) -> Windows {
        self.windows
    }

    /// The tools that a model may use: with `analyst.tools`, a look into earlier results, of which it sees these fields.
    pub fn tools(&self, fields: &'static [&'static str]) -> Vec<Arc<dyn Tool>> {
        if !self.models.as_ref().is_some_and(|models| models.tools) {
            return Vec::new();
        }
        let earlier = EarlierResults::new(self.log.clone(), self.app, &self.format, fields);
        vec![Arc::new(earlier)]
    }

    /// The tenant of each owner, for the tasks of models.
    pub fn tenant_of(&self) -> TenantOf {
        self.tenant_of.clone()
    }

    /// Starts an executor whose calls go to the models of the settings, or else to an analyst that needs none.
    ///
    /// # Errors
    /// As [`CallExecutor::spawn`]; also if the models' client cannot be made.
    pub fn run<K: Data + Send + Sync, W: Data + Send + Sync, O: Send + 'static>(
        self,
        call: &AsyncCall<K, W, O>,
        task: impl ModelTask<K, W, O>,
        offline: Arc<dyn Analyst<W, O>>,
    ) -> Result<CallExecutorHandle, TransportError> {
        let Self { app, models, windows, log, policy, runtime, .. } = self;
        let Some(models) = models else {
            let caller = AnalystCaller { analyst: offline, runtime };
            // Its answers are no model's.
            let policy = CallPolicy { routes: vec![Route::named(OFFLINE)], ..policy };
            return CallExecutor::spawn(call, app.id, log, policy, caller);
        };
        let caller = models.caller(task, runtime);
        let caller = caller.map_err(|error| TransportError::Invalid(error.to_string().into()))?;
        let policy = CallPolicy { routes: models.routes(policy.timeout, windows.answer_within), ..policy };
        CallExecutor::spawn(call, app.id, log, policy, caller)
    }
}

/// Calls an analyst. Each attempt is a task on the runtime, because executors have no runtime.
struct AnalystCaller<W, O> {
    analyst: Arc<dyn Analyst<W, O>>,
    runtime: Handle,
}

impl<K, W, O> Caller<K, W, O> for AnalystCaller<W, O>
where
    K: Send + 'static,
    W: Send + Sync + 'static,
    O: Send + 'static,
{
    fn call(&mut self, request: CallRequest<K, W>, reply: Reply<O>) {
        let analyst = self.analyst.clone();
        self.runtime.spawn(async move {
            let answer = tokio::time::timeout(reply.timeout(), analyst.analyze(&request.value)).await;
            reply.send(match answer {
                Ok(outcome) => outcome.map_err(|error| to_call_error(&error)),
                Err(_) => Err(CallError::transient("the analyst took too long")),
            });
        });
    }
}
