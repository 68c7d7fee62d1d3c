//! The response side of an asynchronous step.
//!
//! Each request gets one outcome: an answer, a failure, or the end of its deadline, whichever the task takes first.
//! The outcome is emitted at once if no older request of its lane is pending. Otherwise it is kept with the request,
//! and follows when the older ones have their outcomes. So the first request of a lane never has an outcome, except
//! when it was withdrawn, or when there was no room to emit more. A row in the store tells of this ([`LOOSE_ROW`]),
//! and the next `resume` emits what is loose.

use std::{cell::RefMut, collections::BTreeSet, ops::Bound, time::Duration};

use bytes::Bytes;
use tidemill_state::{ByteStore, CodecError, Direction, Row, StoreError};

use super::{
    asking::{Asking, NewRequest},
    dead_letter::{dead_letter, is_kept, without_reason},
    row::{LOOSE_ROW, PendingRequest, REQUEST_ROWS, Response, lane_of, row_alone, row_in_lane},
};
use crate::{
    async_op::{
        Answered, CallFailure, CallOrder, CallReport, FailureKind,
        request::{self, RequestId},
    },
    clock::millis,
    operators::{DropReason, Failure, Lifecycle, Next, Outcome, Receive, TaskContext},
    record::{Data, Record},
    transport::Headers,
};

/// Joins a response with its pending request, once.
pub(crate) struct ResponseNode<K, V, R> {
    asking: Asking<K, V, R>,
    next: Next<K, Answered<V, R>>,
    dead_letters: Next<Bytes, Bytes>,
    /// The lanes in which answers may wait that nothing holds back any more.
    loose: BTreeSet<Bytes>,
}

/// A row of the pending store.
type Found = (Bytes, PendingRequest);

impl<K: Data, V: Data, R: Data> ResponseNode<K, V, R> {
    pub(crate) fn new(
        asking: Asking<K, V, R>,
        next: Next<K, Answered<V, R>>,
        dead_letters: Next<Bytes, Bytes>,
    ) -> Self {
        Self { asking, next, dead_letters, loose: BTreeSet::new() }
    }

    fn store(&self) -> RefMut<'_, ByteStore> {
        self.asking.pending.borrow_mut()
    }

    /// The pending request with this id.
    fn find(&self, id: &RequestId) -> Result<Option<Found>, Box<Failure>> {
        let in_lane = row_in_lane(self.asking.call.key.partition_bytes(&id.key()), id.number());
        for row in [in_lane, row_alone(id)] {
            if let Some(found) = self.read(row)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn read(&self, row: Bytes) -> Result<Option<Found>, Box<Failure>> {
        let found = self.store().get(&row)?;
        found.map(|found| Ok((row.clone(), PendingRequest::decode(&row, found)?))).transpose()
    }

    /// The first pending request of a lane.
    fn first(&self, ctx: &mut TaskContext, lane: &Bytes) -> Result<Option<(Bytes, Row)>, StoreError> {
        let (from, to) = (row_in_lane(lane, self.asking.memory.head(lane)), row_in_lane(lane, u64::MAX));
        let (from, to) = (Bound::Included(&*from), Bound::Included(&*to));
        let first = self.store().scan(from, to, Direction::Forward)?.next().transpose()?;
        if let Some((_, number)) = first.as_ref().and_then(|(row, _)| lane_of(row)) {
            self.asking.memory.note_head(ctx, lane, number);
        }
        Ok(first)
    }

    /// Emits the outcome of a pending request, or keeps it until it is its turn.
    fn settle(&mut self, ctx: &mut TaskContext, found: Found, response: Response) -> Outcome {
        let (row, mut pending) = found;
        let lane = lane_of(&row).map(|(lane, _)| lane);
        if let Some(lane) = &lane
            && self.asking.call.order != CallOrder::Unordered
            && self.first(ctx, lane)?.is_some_and(|(first, _)| first != row)
        {
            pending.answer = Some(response);
            self.store().put(row, pending.encode());
            return Ok(());
        }
        self.store().delete(row);
        self.emit(ctx, pending, response)?;
        lane.map_or(Ok(()), |lane| self.release(ctx, lane))
    }

    /// Emits the answers at the beginning of a lane.
    fn release(&mut self, ctx: &mut TaskContext, lane: Bytes) -> Outcome {
        while let Some((first, value)) = self.first(ctx, &lane)? {
            let mut pending = PendingRequest::decode(&first, value)?;
            let Some(response) = pending.answer.take() else { break };
            if ctx.is_full() {
                self.store()
                    .put(Bytes::from_static(&LOOSE_ROW), Row { timestamp: pending.timestamp, value: Bytes::new() });
                self.loose.insert(lane);
                ctx.unfinished = true;
                break;
            }
            self.store().delete(first);
            self.emit(ctx, pending, response)?;
        }
        Ok(())
    }

    fn emit(&self, ctx: &mut TaskContext, pending: PendingRequest, response: Response) -> Outcome {
        let call = &self.asking.call;
        let Response { value, headers } = response;
        let asked = pending.headers.as_ref().unwrap_or(&headers);
        let own = request::without_call(asked);
        let outcome = match request::failure(&headers) {
            Some(failure) => Err(failure),
            None => match call.response.decode_opt(value) {
                Ok(answer) => Ok(answer),
                // It will decode later.
                Err(error @ CodecError::NotYet { .. }) => return Err(error.into()),
                Err(error) => {
                    Err(CallFailure { kind: FailureKind::Undecodable, message: error.to_string(), attempts: 1 })
                }
            },
        };
        let mut report = request::report(&headers);
        report.repeated |= request::is_repeat(asked);
        if report.inputs.is_empty() {
            report.inputs = request::inputs(asked);
        }
        if let Err(failure) = &outcome
            && is_kept(failure.kind, request::is_repeat(asked))
        {
            self.dead_letters.forward(ctx, dead_letter(&pending, &own, failure, &report))?;
        }
        // The request is done, whatever operators make of its answer: those behind it must not wait for ever.
        ctx.or_left_out(|ctx| {
            let PendingRequest { key, request, timestamp, .. } = pending;
            let answered = Answered { request: call.pending.decode(request)?, outcome, report };
            self.next.forward(ctx, Record { key: call.key.decode(key)?, value: answered, timestamp, headers: own })
        })
    }

    /// Ends a request whose deadline is over, unless it has an outcome.
    fn expire(&mut self, ctx: &mut TaskContext, row: Bytes, deadline: Duration) -> Outcome {
        let Some((row, pending)) = self.read(row)? else { return Ok(()) };
        if pending.answer.is_some() {
            return Ok(());
        }
        let headers = pending.headers.clone().unwrap_or_default();
        let waited = request::deadline_ms(&headers).map_or(deadline, |ms| Duration::from_millis(ms.unsigned_abs()));
        let message = format!("no answer came within {waited:?} of the request");
        let failure = CallFailure { kind: FailureKind::Expired, message, attempts: 0 };
        let latency_ms = request::asked_ms(&headers).map_or(0, |asked| (ctx.wall_ms - asked).max(0).unsigned_abs());
        let report = CallReport { latency_ms, ..CallReport::default() };
        let headers = request::with_report(request::with_failure(Headers::new(), &failure), &report);
        self.settle(ctx, (row, pending), Response { value: None, headers })
    }

    /// Asks a request again that failed before.
    fn ask_again(&self, ctx: &mut TaskContext, record: Record<Bytes, Option<Bytes>>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        let call = &self.asking.call;
        let readable = call.key.decode(key.clone()).and_then(|_| call.pending.decode_opt(value.clone()));
        let request = match readable.and_then(|request| call.request.encode(&request)) {
            Ok(request) => request,
            Err(error @ CodecError::NotYet { .. }) => return Err(error.into()),
            Err(error) => return Self::refuse(ctx, &error.to_string()),
        };
        match (value, request) {
            (Some(pending), Some(request)) => {
                let headers = without_reason(&headers);
                self.asking.ask(ctx, NewRequest { key, pending, request, timestamp, headers, is_repeat: true })
            }
            _ => Self::refuse(ctx, "it has no value"),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends a function with an outcome")]
    fn refuse(ctx: &mut TaskContext, reason: &str) -> Outcome {
        tracing::warn!(%reason, "a request that was to be asked again is left out");
        ctx.count_dropped(ctx.node, DropReason::Undecodable);
        Ok(())
    }

    /// Every pending request.
    fn all(&self) -> Result<Vec<Found>, Box<Failure>> {
        let store = self.asking.pending.borrow();
        let mut found = Vec::new();
        for prefix in REQUEST_ROWS {
            for row in store.scan(Bound::Included(&prefix), Bound::Unbounded, Direction::Forward)? {
                let (key, value) = row?;
                if !key.starts_with(&prefix) {
                    break;
                }
                let pending = PendingRequest::decode(&key, value)?;
                found.push((key, pending));
            }
        }
        Ok(found)
    }
}

impl<K: Data, V: Data, R: Data> Receive<Bytes, Option<Bytes>> for ResponseNode<K, V, R> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<Bytes, Option<Bytes>>) -> Outcome {
        if request::is_again(&record.headers) {
            return self.ask_again(ctx, record);
        }
        let found = match RequestId::from_bytes(record.key) {
            Some(id) => self.find(&id)?,
            None => None,
        };
        let Some((row, pending)) = found.filter(|(_, pending)| pending.answer.is_none()) else {
            // The request was answered before, or it was withdrawn. A second answer has no effect.
            ctx.count_dropped(ctx.node, DropReason::Duplicate);
            return Ok(());
        };
        if request::is_dropped(&record.headers) {
            ctx.count_dropped(ctx.node, DropReason::Dropped);
            self.store().delete(row.clone());
            return lane_of(&row).map_or(Ok(()), |(lane, _)| self.release(ctx, lane));
        }
        // The headers of the request are in its row, unless an older program wrote it.
        let known = pending.headers.is_some();
        let headers = if known { request::only_call(&record.headers) } else { record.headers };
        self.settle(ctx, (row, pending), Response { value: record.value, headers })
    }
}

impl<K: Data, V: Data, R: Data> Lifecycle for ResponseNode<K, V, R> {
    fn init(&mut self, ctx: &mut TaskContext) -> Outcome {
        let Some(deadline) = self.asking.call.deadline else { return Ok(()) };
        for (row, pending) in self.all()? {
            if pending.answer.is_some() {
                continue;
            }
            let headers = pending.headers.unwrap_or_default();
            let length_ms = request::deadline_ms(&headers).unwrap_or(millis(deadline));
            let asked_ms = request::asked_ms(&headers).unwrap_or(ctx.wall_ms);
            // If the wall clock was set back, the request waits once more for as long as at first, but no longer.
            let left_ms = asked_ms.saturating_add(length_ms).saturating_sub(ctx.wall_ms).clamp(0, length_ms.max(0));
            self.asking.memory.note_due(ctx, ctx.monotonic_ms.saturating_add(left_ms), row);
        }
        Ok(())
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        let Some(deadline) = self.asking.call.deadline else { return Ok(()) };
        while !ctx.is_full()
            && let Some(row) = self.asking.memory.take_due(ctx.monotonic_ms)
        {
            self.expire(ctx, row, deadline)?;
        }
        Ok(())
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        if self.store().get(&LOOSE_ROW)?.is_none() {
            self.loose.clear();
            return Ok(());
        }
        if ctx.held_by.is_some() {
            // Keys are being erased. What waits may be theirs.
            ctx.unfinished = true;
            return Ok(());
        }
        if self.loose.is_empty() {
            let answered = self.all()?.into_iter().filter(|(_, pending)| pending.answer.is_some());
            self.loose = answered.filter_map(|(row, _)| lane_of(&row)).map(|(lane, _)| lane).collect();
        }
        while !ctx.is_full() {
            match self.loose.pop_first() {
                Some(lane) => self.release(ctx, lane)?,
                None => {
                    self.store().delete(Bytes::from_static(&LOOSE_ROW));
                    return Ok(());
                }
            }
        }
        ctx.unfinished = true;
        Ok(())
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        self.asking.memory.forget(ctx, key);
        // What waits in an executor must not go to the service any more.
        self.asking.withdraw(ctx, key);
    }
}
