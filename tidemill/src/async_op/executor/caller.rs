//! The interface to the code that makes calls.

use std::sync::Arc;

use bytes::Bytes;

use crate::async_op::{Reply, Usage};

/// One attempt of a call.
///
/// See the example of [`Caller`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest<K, V> {
    /// The record's key.
    pub key: K,
    /// The request.
    pub value: V,
    /// Event time of the record, milliseconds since the epoch.
    pub timestamp: i64,
    /// The number of this attempt, from 1. It starts at 1 again after a crash.
    pub attempt: u32,
    /// Identifies the request. It is the same for every attempt, so services can use it as an idempotency key.
    pub id: Bytes,
    /// The name of the route that the attempt is for ([`CallPolicy::routes`](crate::CallPolicy::routes)).
    pub route: Arc<str>,
    /// The steps that earlier attempts of the call have kept ([`Reply::keep_step`](crate::Reply::keep_step)), also
    /// those of executors that are gone.
    pub steps: Vec<Bytes>,
}

/// Makes calls. It must return immediately: run the work on an async runtime or in another thread. A closure is a
/// caller, too.
///
/// ```
/// use tidemill::{CallError, CallRequest, Caller, Reply};
///
/// /// Asks a service over HTTP. It needs at most the attempt's time.
/// struct Service {
///     url: String,
/// }
///
/// impl Caller<u64, String, i64> for Service {
///     fn call(&mut self, request: CallRequest<u64, String>, reply: Reply<i64>) {
///         let url = self.url.clone();
///         std::thread::spawn(move || {
///             let (timeout, idempotency_key) = (reply.timeout(), request.id);
///             # let post = |_: &str, _: &str, _: &[u8], _: std::time::Duration| Ok::<_, std::io::Error>(1);
///             let answer = post(&url, &request.value, &idempotency_key, timeout);
///             reply.send(answer.map_err(|error| CallError::transient(error.to_string())));
///         });
///     }
/// }
/// ```
pub trait Caller<K, V, R>: Send + 'static {
    /// Starts an attempt. The attempt ends when `reply` is sent or dropped.
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>);

    /// Starts an attempt for several requests at once, all for the same route. The default calls for each alone. Only
    /// with [`CallPolicy::batch`](crate::CallPolicy::batch).
    fn call_batch(&mut self, batch: Vec<(CallRequest<K, V>, Reply<R>)>) {
        for (request, reply) in batch {
            self.call(request, reply);
        }
    }

    /// The most that the attempt may consume. Limits and budgets count it until the attempt ends and tells what it
    /// consumed. The default is nothing.
    fn most(&self, _request: &CallRequest<K, V>) -> Usage {
        Usage::default()
    }

    /// What the answer depends on, if equal content may get the same answer: for example a hash of prompt, model and
    /// data. Requests with equal content share a call or a cached answer. The default is `None`: each request is
    /// called.
    fn content(&self, _request: &CallRequest<K, V>) -> Option<Bytes> {
        None
    }

    /// The answer, if it takes no call. Such a request goes through no route, limit or budget. The default is `None`.
    fn known(&self, _request: &CallRequest<K, V>) -> Option<R> {
        None
    }

    /// The tenant of a key, for limits and fairness. The default is one tenant, with an empty name.
    fn tenant(&self, _key: &K) -> Arc<str> {
        Arc::from("")
    }
}

impl<K, V, R, F: FnMut(CallRequest<K, V>, Reply<R>) + Send + 'static> Caller<K, V, R> for F {
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>) {
        self(request, reply);
    }
}
