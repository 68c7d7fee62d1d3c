//! The interface to the code that makes calls.

use bytes::Bytes;

use crate::async_op::Reply;

/// One attempt of a call.
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

/// Makes calls. It must return immediately: run the work on an async runtime or in another thread.
pub trait Caller<K, V, R>: Send + 'static {
    /// Starts an attempt. The attempt ends when `reply` is sent or dropped.
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>);
}

impl<K, V, R, F: FnMut(CallRequest<K, V>, Reply<R>) + Send + 'static> Caller<K, V, R> for F {
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>) {
        self(request, reply);
    }
}
