//! Who makes calls, and what it is asked.

use bytes::Bytes;

use crate::async_op::Reply;

/// One attempt to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest<K, V> {
    /// The record's key.
    pub key: K,
    /// The request.
    pub value: V,
    /// Event time of the record, milliseconds since the epoch.
    pub timestamp: i64,
    /// Which attempt this is, from 1. After a crash it begins at 1 again.
    pub attempt: u32,
    /// Names the request, the same at every attempt: an idempotency key for services that take one.
    pub id: Bytes,
}

/// Makes calls. It must return at once: the work belongs on a runtime or a thread of its own.
pub trait Caller<K, V, R>: Send + 'static {
    /// Starts an attempt, which ends with `reply`.
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>);
}

impl<K, V, R, F: FnMut(CallRequest<K, V>, Reply<R>) + Send + 'static> Caller<K, V, R> for F {
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>) {
        self(request, reply);
    }
}
