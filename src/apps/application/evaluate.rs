//! An application's model task as `tidemill prompts` knows it: questions with JSON in and JSON out.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tidemill::{
    CallReport, CallRequest, Usage, Window, Windowed,
    llm::{ModelCaller, ModelRoute, ModelTask, Prompt, Trial},
};
use tokio::runtime::Handle;

/// What a model is asked for an application.
pub struct Asked {
    /// The prompt's file, as it is built into the program.
    pub prompt: &'static str,
    /// Makes questions of recorded calls, with [`Setup::questions`].
    pub questions: fn(Setup) -> Arc<dyn Questions>,
}

impl Asked {
    /// Checks that another prompt does not claim the name and the version of the program's own.
    ///
    /// # Errors
    /// If it does, and says something else.
    pub fn check_version(&self, other: &Prompt) -> Result<(), String> {
        match Prompt::parse(self.prompt) {
            Ok(own) if own.clashes_with(other) => Err(format!(
                "the prompt says that it is {} version {}, which is this program's own prompt, but it differs from it: \
                 raise its version",
                own.name, own.version
            )),
            // A test reads the program's own prompts.
            _ => Ok(()),
        }
    }
}

/// Who is asked, and with which prompt.
pub struct Setup {
    prompt: Arc<Prompt>,
    model: ModelRoute,
    runtime: Handle,
}

/// A recorded call, as the journal of calls has it.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedCall {
    /// Identifies the call.
    pub id: String,
    /// The key of the request.
    #[serde(default)]
    pub key: Value,
    /// The request.
    pub request: Value,
    /// The answer, if there was one.
    #[serde(default)]
    pub response: Option<Value>,
    /// Why there was no answer.
    #[serde(default)]
    pub failure: Option<RecordedFailure>,
    /// How the answer came about.
    #[serde(default)]
    pub report: CallReport,
}

/// Why a recorded call had no answer.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedFailure {
    /// How the last attempt failed.
    pub kind: String,
    /// A readable message.
    #[serde(default)]
    pub message: String,
}

/// Makes questions for a model of recorded calls.
pub trait Questions: Send + Sync {
    /// The prompt of the questions.
    fn prompt(&self) -> &Prompt;

    /// Makes a question of a recorded call.
    ///
    /// # Errors
    /// If the call is not one of the application. The text continues after the place of the call.
    fn question(&self, call: &RecordedCall) -> Result<Arc<dyn Question>, String>;
}

/// The future of a trial.
pub type TrialFuture<'a> = Pin<Box<dyn Future<Output = Trial<Value>> + Send + 'a>>;

/// A request for a model. Its answers are JSON objects with the fields that a model decides.
pub trait Question: Send + Sync {
    /// Whether a model is needed for the answer.
    fn needs_model(&self) -> bool;

    /// The most that an attempt may use.
    fn most(&self) -> Usage;

    /// The recorded answer.
    fn recorded(&self) -> Option<Value>;

    /// The answer of the offline analysis.
    fn offline(&self) -> Option<Value>;

    /// Asks the model once. Attempts are counted from 1.
    fn ask(&self, attempt: u32, timeout: Duration) -> TrialFuture<'_>;
}

/// The name of the only route.
const ROUTE: &str = "model";

impl Setup {
    /// Asks this model with this prompt.
    pub fn new(prompt: Arc<Prompt>, model: ModelRoute, runtime: Handle) -> Self {
        Self { prompt, model, runtime }
    }

    /// The questions of a task. `task` makes the task with a prompt, `key` reads a recorded key, and `fields` shows what
    /// a model decided of an answer.
    pub fn questions<K, V, R, T>(
        self,
        task: fn(Arc<Prompt>) -> T,
        key: fn(&Value) -> Option<K>,
        fields: fn(&R) -> Value,
    ) -> Arc<dyn Questions>
    where
        K: Clone + Send + Sync + 'static,
        V: Clone + DeserializeOwned + Send + Sync + 'static,
        R: DeserializeOwned + Send + 'static,
        T: ModelTask<K, V, R>,
    {
        let caller = ModelCaller::new(task(self.prompt), self.runtime).route(ROUTE, self.model);
        Arc::new(OfTask { caller: Arc::new(caller), key, fields })
    }
}

/// Reads the key of a window's call: the owner and the start of the window.
pub fn windowed_key(key: &Value) -> Option<Windowed<String>> {
    let start = key["window_start_ms"].as_i64()?;
    Some(Windowed { key: key["id"].as_str()?.to_owned(), window: Window { start, end: start } })
}

struct OfTask<K, V, R> {
    caller: Arc<ModelCaller<K, V, R>>,
    key: fn(&Value) -> Option<K>,
    fields: fn(&R) -> Value,
}

struct OfCall<K, V, R> {
    caller: Arc<ModelCaller<K, V, R>>,
    request: CallRequest<K, V>,
    recorded: Option<Value>,
    fields: fn(&R) -> Value,
}

impl<K, V, R> Questions for OfTask<K, V, R>
where
    K: Clone + Send + Sync + 'static,
    V: Clone + DeserializeOwned + Send + Sync + 'static,
    R: DeserializeOwned + Send + 'static,
{
    fn prompt(&self) -> &Prompt {
        self.caller.task().prompt()
    }

    fn question(&self, call: &RecordedCall) -> Result<Arc<dyn Question>, String> {
        let key = (self.key)(&call.key).ok_or("the key is not one of this application")?;
        let value = V::deserialize(&call.request).map_err(|error| format!("the request cannot be read: {error}"))?;
        let response = call.response.as_ref().map(R::deserialize).transpose();
        let response = response.map_err(|error| format!("the response cannot be read: {error}"))?;
        let request = CallRequest {
            key,
            value,
            timestamp: 0,
            attempt: 1,
            id: Bytes::from(call.id.clone()),
            route: ROUTE.into(),
            steps: Vec::new(),
        };
        let recorded = response.as_ref().map(self.fields);
        Ok(Arc::new(OfCall { caller: self.caller.clone(), request, recorded, fields: self.fields }))
    }
}

impl<K, V, R> Question for OfCall<K, V, R>
where
    K: Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    fn needs_model(&self) -> bool {
        self.caller.task().without_model(&self.request.value).is_none()
    }

    fn most(&self) -> Usage {
        tidemill::Caller::most(&*self.caller, &self.request)
    }

    fn recorded(&self) -> Option<Value> {
        self.recorded.clone()
    }

    fn offline(&self) -> Option<Value> {
        self.caller.task().offline(&self.request.value).as_ref().map(self.fields)
    }

    fn ask(&self, attempt: u32, timeout: Duration) -> TrialFuture<'_> {
        let request = CallRequest { attempt, ..self.request.clone() };
        Box::pin(async move {
            let Trial { outcome, failure, usage, details } = self.caller.attempt(&request, timeout).await;
            Trial { outcome: outcome.as_ref().map(self.fields).map_err(Clone::clone), failure, usage, details }
        })
    }
}
