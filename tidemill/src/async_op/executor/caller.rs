//! The interface to the code that makes calls.

use bytes::Bytes;

use crate::async_op::Reply;

/// One attempt of a call.
///
/// See the example of [`Caller`].
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
}

impl<K, V, R, F: FnMut(CallRequest<K, V>, Reply<R>) + Send + 'static> Caller<K, V, R> for F {
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>) {
        self(request, reply);
    }
}
