//! A join of a stream with a versioned table that lets records of the stream wait for late updates of the table (KIP-923).

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{ByteWindowStore, Codec, Row, StoreError};

use super::{DropReason, Failure, Lifecycle, Outcome, Receive, StreamTableJoin, TaskContext, stream_time::StreamTime};
use crate::{
    record::{Data, Record},
    value_headers::ValueHeaders,
};

/// Joins each record when stream time has passed its timestamp by the grace period, in the order of timestamp, key and
/// arrival.
///
/// The records that wait are in the store. What leaves is dropped there by its time, and so is not written to the
/// changelog again.
pub(crate) struct BufferedTableJoin<K, V, T, F, V2> {
    join: StreamTableJoin<K, T, F, V2>,
    rows: Rc<RefCell<ByteWindowStore>>,
    grace_ms: i64,
    /// Records with a timestamp below its cursor are not in the store any more.
    time: StreamTime,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<ValueHeaders<V>>>,
}

impl<K: Data, V: Data, T: Data, F, V2: Data, E: Into<Box<Failure>>> BufferedTableJoin<K, V, T, F, V2>
where
    F: Fn(&K, V, Option<T>) -> Result<Option<V2>, E>,
{
    /// Continues from the store's contents.
    pub(crate) fn open(
        join: StreamTableJoin<K, T, F, V2>,
        rows: Rc<RefCell<ByteWindowStore>>,
        grace_ms: i64,
        idle_ms: Option<i64>,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<ValueHeaders<V>>>,
    ) -> Result<Self, StoreError> {
        let time = StreamTime::open(&mut rows.borrow_mut(), idle_ms)?;
        Ok(Self { join, rows, grace_ms, time, key, value })
    }

    /// The first timestamp of records that still wait.
    fn waiting_from(&self) -> i64 {
        (self.time.now_ms() - self.grace_ms).saturating_add(1)
    }

    /// Joins the records that have waited long enough.
    fn release(&mut self, ctx: &mut TaskContext) -> Outcome {
        let below = self.waiting_from();
        let Self { join, rows, time, key, value, .. } = self;
        if below <= time.cursor_ms() {
            return Ok(());
        }
        let finished = time.finish_before(ctx, rows, below, |ctx, bytes, row| {
            ctx.or_left_out(|ctx| {
                let ValueHeaders { value, headers } = value.decode(row.value)?;
                join.receive(ctx, Record { key: key.decode(bytes)?, value, timestamp: row.timestamp, headers })
            })
        })?;
        if finished {
            time.move_cursor(ctx, below);
        }
        Ok(())
    }
}

impl<K: Data, V: Data, T: Data, F, V2: Data, E: Into<Box<Failure>>> Receive<K, V> for BufferedTableJoin<K, V, T, F, V2>
where
    F: Fn(&K, V, Option<T>) -> Result<Option<V2>, E>,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        // No update of the table can concern a record without a key.
        let Some(bytes) = self.key.encode(&key)? else {
            return self.join.receive(ctx, Record { key, value, timestamp, headers });
        };
        let headed = ValueHeaders { value, headers };
        if self.value.is_null(&headed) {
            ctx.count_dropped(ctx.node, DropReason::NullValue);
            return Ok(());
        }
        self.time.observe(ctx, timestamp);
        if timestamp < self.waiting_from().max(self.time.cursor_ms()) {
            let ValueHeaders { value, headers } = headed;
            return self.join.receive(ctx, Record { key, value, timestamp, headers });
        }
        let value = self.value.encode(&headed)?.unwrap_or_default();
        self.rows.borrow_mut().append(timestamp, &bytes, Row { timestamp, value })?;
        self.release(ctx)
    }
}

impl<K: Data, V: Data, T: Data, F, V2: Data, E: Into<Box<Failure>>> Lifecycle for BufferedTableJoin<K, V, T, F, V2>
where
    F: Fn(&K, V, Option<T>) -> Result<Option<V2>, E>,
{
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        self.time.save([(&*self.rows, self.time.cursor_ms())]);
        Ok(())
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.time.tick(ctx);
        self.release(ctx)
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.release(ctx)
    }
}
