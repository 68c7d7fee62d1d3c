//! What an application defines about its model calls.

use std::sync::Arc;

use serde_json::Value;

use super::{prompt::Prompt, tool::Tool};

/// What a model does for requests with keys of type `K` and values of type `V`, and what an answer of type `R` is made
/// of. See the example of [`ModelCaller`](super::ModelCaller).
pub trait ModelTask<K, V, R>: Send + Sync + 'static {
    /// The trusted text.
    fn prompt(&self) -> &Prompt;

    /// What the model gets to see of a request. Leave out what it does not need, above all names of people.
    fn data(&self, key: &K, request: &V) -> Value;

    /// The answer to a request for which no model is needed, such as an empty window. The default is none.
    fn without_model(&self, _request: &V) -> Option<R> {
        None
    }

    /// Makes an answer of the model's output, which fits the prompt's schema. `model` is the model's name.
    ///
    /// # Errors
    /// If the output makes no sense. The model is told and tries once more, and the text becomes part of the failure's
    /// message: it names the mistake and does not quote the output.
    fn answer(&self, request: &V, output: Value, model: &str) -> Result<R, String>;

    /// The answer of the offline routes. The default is none: offline routes fail.
    fn offline(&self, _request: &V) -> Option<R> {
        None
    }

    /// The tools that the model may use. The default is none.
    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        Vec::new()
    }

    /// Who pays ([`Caller::tenant`](crate::Caller::tenant)). Requests of different tenants never share a prompt. The
    /// default is one tenant.
    fn tenant(&self, _key: &K) -> Arc<str> {
        Arc::from("")
    }

    /// Everything that an answer depends on, besides the prompt. Requests with the same content may share an answer.
    /// The default is the data. If [`ModelTask::answer`] takes more from the request than the data tells, add that, or
    /// return `None`: then no answer is shared.
    fn content(&self, _request: &V, data: Value) -> Option<Value> {
        Some(data)
    }
}
