//! Both ends of an asynchronous step inside a task: the request side and the response side.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{ByteStore, CodecError, Row};

use super::{
    Answered, AsyncCall, CallFailure, FailureKind,
    request::{self, RequestId},
};
use crate::{
    operators::{DropReason, Next, Outcome, Receive, TaskContext},
    record::{Data, Record},
    transport::{ProducerRecord, Topic},
};

/// Writes each record to the request topic and keeps it as pending, both in the task's transaction.
pub(crate) struct RequestNode<K, V, R> {
    pub(crate) call: AsyncCall<K, V, R>,
    pub(crate) pending: Rc<RefCell<ByteStore>>,
    pub(crate) topic: Topic,
    /// The task's own partition. The response returns to the same partition, whose task has the pending request.
    pub(crate) partition: i32,
}

impl<K, V, R> RequestNode<K, V, R> {
    /// The next request number. The counter is in the store, so it commits and rolls back with the requests.
    fn next_number(&self, timestamp: i64) -> Result<u64, tidemill_state::StoreError> {
        let mut store = self.pending.borrow_mut();
        let row = store.get(&RequestId::counter_row())?;
        let count = row.and_then(|row| Some(u64::from_be_bytes(row.value.as_ref().try_into().ok()?))).unwrap_or(0);
        let value = Bytes::copy_from_slice(&(count + 1).to_be_bytes());
        store.put(Bytes::copy_from_slice(&RequestId::counter_row()), Row { timestamp, value });
        Ok(count)
    }
}

impl<K: Data, V: Data, R> Receive<K, V> for RequestNode<K, V, R> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        let key = self.call.key.encode(&key)?.unwrap_or_default();
        let pending = self.call.pending.encode(&value)?.ok_or(CodecError::Null)?;
        let value = if Arc::ptr_eq(&self.call.pending, &self.call.request) {
            pending.clone()
        } else {
            self.call.request.encode(&value)?.ok_or(CodecError::Null)?
        };
        let id = RequestId::new(&key, self.next_number(timestamp)?);
        self.pending.borrow_mut().put(id.row(), Row { timestamp, value: pending });
        ctx.send(ProducerRecord {
            topic: self.topic.clone(),
            partition: self.partition,
            timestamp,
            key: Some(id.bytes()),
            value: Some(value),
            headers: request::with_asked(headers, ctx.wall_ms, &[]),
        });
        Ok(())
    }
}

/// Joins a response with its pending request, once.
pub(crate) struct ResponseNode<K, V, R> {
    pub(crate) call: AsyncCall<K, V, R>,
    pub(crate) pending: Rc<RefCell<ByteStore>>,
    pub(crate) next: Next<K, Answered<V, R>>,
}

impl<K: Data, V: Data, R: Data> Receive<Bytes, Option<Bytes>> for ResponseNode<K, V, R> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<Bytes, Option<Bytes>>) -> Outcome {
        let id = RequestId::from_bytes(record.key);
        let pending = match &id {
            Some(id) => self.pending.borrow().get(&id.row())?,
            None => None,
        };
        let (Some(id), Some(Row { timestamp, value: request })) = (id, pending) else {
            // The request was answered before, or it was withdrawn. A second answer has no effect.
            ctx.count_dropped(ctx.node, DropReason::Duplicate);
            return Ok(());
        };
        self.pending.borrow_mut().delete(id.row());
        let outcome = match request::failure(&record.headers) {
            Some(failure) => Err(failure),
            None => self.call.response.decode_opt(record.value).map_err(|error| CallFailure {
                kind: FailureKind::Undecodable,
                message: error.to_string(),
                attempts: 1,
            }),
        };
        let report = request::report(&record.headers);
        let answered = Answered { request: self.call.pending.decode(request)?, outcome, report };
        let headers = request::without_call(&record.headers);
        self.next.forward(ctx, Record { key: self.call.key.decode(id.key())?, value: answered, timestamp, headers })
    }
}
