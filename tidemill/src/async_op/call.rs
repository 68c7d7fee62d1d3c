//! Defines an asynchronous step: its name and the codecs of its requests and responses.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::{BoxError, Codec, Coded, RawBytes};

use super::{CallFailure, request::RequestId};
use crate::{
    names::{request_topic, response_topic},
    operators::processor::ProcessorContext,
    record::Data,
    transport::Topic,
};

/// An asynchronous step: requests have keys of type `K` and values of type `V`, responses have type `R`.
///
/// The same value declares the step ([`KStream::map_async`](crate::KStream::map_async)) and starts the executor that
/// makes the calls ([`CallExecutor`](crate::CallExecutor)).
pub struct AsyncCall<K, V, R> {
    pub(crate) name: Arc<str>,
    pub(crate) key: Arc<dyn Codec<K>>,
    /// The codec of requests in the pending store.
    pub(crate) pending: Arc<dyn Codec<V>>,
    /// The codec of requests on the request topic.
    pub(crate) request: Arc<dyn Codec<V>>,
    pub(crate) response: Arc<dyn Codec<R>>,
}

impl<K, V, R> Clone for AsyncCall<K, V, R> {
    fn clone(&self) -> Self {
        let Self { name, key, pending, request, response } = self;
        let (name, key, response) = (name.clone(), key.clone(), response.clone());
        Self { name, key, pending: pending.clone(), request: request.clone(), response }
    }
}

impl<K: Coded, V: Coded, R: Coded> AsyncCall<K, V, R> {
    /// Names the step, with the types' default codecs. The name is mandatory: it names the store of pending requests
    /// and the topics `<application id>-<name>-requests` and `-responses`.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default(), R::Codec::default())
    }
}

impl<K, V, R> AsyncCall<K, V, R> {
    /// Names the step and sets its codecs.
    pub fn with(
        name: impl Into<Arc<str>>,
        key: impl Codec<K>,
        request: impl Codec<V>,
        response: impl Codec<R>,
    ) -> Self {
        let request: Arc<dyn Codec<V>> = Arc::new(request);
        let (name, pending) = (name.into(), request.clone());
        Self { name, key: Arc::new(key), pending, request, response: Arc::new(response) }
    }

    /// Sets another codec for requests on the request topic. It may leave out data that the caller does not need.
    /// [`Answered::request`] is still complete, because it comes from the store of pending requests.
    #[must_use]
    pub fn requests_as(self, request: impl Codec<V>) -> Self {
        Self { request: Arc::new(request), ..self }
    }

    /// The step's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the store that holds requests without an answer.
    pub fn pending_store(&self) -> String {
        pending_store(&self.name)
    }

    /// The topic of the requests.
    pub fn request_topic(&self, application_id: &str) -> Topic {
        request_topic(application_id, &self.name)
    }

    /// The topic of the responses.
    pub fn response_topic(&self, application_id: &str) -> Topic {
        response_topic(application_id, &self.name)
    }

    /// The consumer group of the executors that make the calls.
    pub fn executor_group(&self, application_id: &str) -> String {
        format!("{application_id}-{}-executor", self.name)
    }
}

impl<K: Data, V: Data, R> AsyncCall<K, V, R> {
    /// Withdraws the pending requests whose keys match: their answers will have no effect. Returns the number of
    /// withdrawn requests.
    ///
    /// Only processors that are connected to [`AsyncCall::pending_store`] may call this. It reads all pending requests.
    /// [`KStream::erase`](crate::KStream::erase) also withdraws the requests of a key, together with the key's other
    /// state.
    ///
    /// # Errors
    /// If the store is not connected or cannot be read, or if a key cannot be decoded.
    pub fn withdraw<KOut: Data, VOut: Data>(
        &self,
        ctx: &ProcessorContext<'_, KOut, VOut>,
        matches: impl Fn(&K) -> bool,
    ) -> Result<usize, BoxError> {
        let store = ctx.key_value_store_with::<Bytes, Bytes>(&self.pending_store(), RawBytes, RawBytes)?;
        let mut withdrawn = 0;
        for (row, _) in store.prefix(&RequestId::row_prefix())? {
            if let Some(id) = RequestId::from_row(&row)
                && matches(&self.key.decode(id.key())?)
            {
                store.delete(&row)?;
                withdrawn += 1;
            }
        }
        Ok(withdrawn)
    }
}

pub(crate) fn pending_store(name: &str) -> String {
    format!("{name}-pending")
}

/// A request with its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<V, R> {
    /// The request.
    pub request: V,
    /// The answer, or the reason why there is no answer.
    pub outcome: Result<R, CallFailure>,
}
