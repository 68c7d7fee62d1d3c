//! Asks: keeps a request as pending and writes it to the request topic, both in the task's transaction.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteStore, Row, StoreError};

use super::{
    memory::Memory,
    row::{COUNTER_ROW, PendingRequest, row_in_lane},
};
use crate::{
    async_op::{
        AsyncCall, InputOffset,
        request::{self, RequestId},
    },
    clock::millis,
    operators::{Outcome, TaskContext},
    transport::{Headers, ProducerRecord, Topic, TopicPartition},
};

/// What both ends of a step need to ask.
pub(crate) struct Asking<K, V, R> {
    pub(crate) call: AsyncCall<K, V, R>,
    pub(crate) pending: Rc<RefCell<ByteStore>>,
    pub(crate) memory: Memory,
    pub(crate) topic: Topic,
    /// The task's own partition. The response returns to the same partition, whose task has the pending request.
    pub(crate) partition: i32,
    /// The task's input partitions, in the order of its queues.
    pub(crate) inputs: Vec<TopicPartition>,
}

/// A request before it has a number.
pub(super) struct NewRequest {
    pub(super) key: Bytes,
    /// The complete request, for the pending store.
    pub(super) pending: Bytes,
    /// The request as it is written to the request topic.
    pub(super) request: Bytes,
    pub(super) timestamp: i64,
    pub(super) headers: Headers,
    /// Whether the request was asked before and failed.
    pub(super) is_repeat: bool,
}

impl<K: 'static, V: 'static, R> Asking<K, V, R> {
    pub(super) fn ask(&self, ctx: &mut TaskContext, new: NewRequest) -> Outcome {
        let NewRequest { key, pending, request, timestamp, headers, is_repeat } = new;
        let id = RequestId::new(&key, self.next_number(timestamp)?);
        let row = row_in_lane(self.call.key.partition_bytes(&key), id.number());
        let mut headers = request::with_asked(request::without_call(&headers), ctx.wall_ms, &self.taken(ctx));
        if is_repeat {
            headers = request::with_repeat(headers);
        }
        if let Some(deadline) = self.call.deadline {
            headers = request::with_deadline(headers, millis(deadline));
            self.memory.note_due(ctx, ctx.monotonic_ms.saturating_add(millis(deadline)), row.clone());
        }
        let kept = PendingRequest { key, request: pending, timestamp, headers: Some(headers.clone()), answer: None };
        self.pending.borrow_mut().put(row, kept.encode());
        let (topic, partition) = (self.topic.clone(), self.partition);
        ctx.send(ProducerRecord { topic, partition, timestamp, key: Some(id.bytes()), value: Some(request), headers });
        Ok(())
    }

    /// Tells the executors that nobody wants the answers of a lane's requests.
    pub(super) fn withdraw(&self, ctx: &mut TaskContext, lane: &[u8]) {
        let (topic, partition, timestamp) = (self.topic.clone(), self.partition, ctx.stream_time_ms.max(0));
        let (key, headers) = (Some(Bytes::copy_from_slice(lane)), request::with_withdrawn(Headers::new()));
        ctx.send(ProducerRecord { topic, partition, timestamp, key, value: None, headers });
    }

    /// The next request number. The counter is in the store, so it commits and rolls back with the requests.
    fn next_number(&self, timestamp: i64) -> Result<u64, StoreError> {
        let mut store = self.pending.borrow_mut();
        let row = store.get(&COUNTER_ROW)?;
        let count = row.and_then(|row| Some(u64::from_be_bytes(row.value.as_ref().try_into().ok()?))).unwrap_or(0);
        let value = Bytes::copy_from_slice(&(count + 1).to_be_bytes());
        store.put(Bytes::copy_from_slice(&COUNTER_ROW), Row { timestamp, value });
        Ok(count)
    }

    /// The last record that the task took from each input.
    fn taken(&self, ctx: &TaskContext) -> Vec<InputOffset> {
        let taken = self.inputs.iter().zip(&ctx.taken).filter(|(_, offset)| **offset >= 0);
        let input = |(input, offset): (&TopicPartition, &i64)| InputOffset {
            topic: input.topic.to_string(),
            partition: input.partition,
            offset: *offset,
        };
        taken.map(input).collect()
    }
}
