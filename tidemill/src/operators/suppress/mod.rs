//! Holds a table's updates back until a time limit, or until their windows are closed (KIP-328).

mod buffer;
mod row;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{ByteStore, Codec, StoreError};

use super::{
    Failure, Lifecycle, Next, Outcome, Receive, TaskContext, View, stream_time::StreamTime, table_view::Found,
};
use crate::{
    record::{Data, Record},
    table::Change,
    windows::BufferConfig,
};
use buffer::Buffer;
pub(crate) use buffer::UPDATE;
use row::Held;

/// What a suppression does.
#[derive(Clone)]
pub(crate) struct Rule<K> {
    pub(crate) time_of: fn(&K, i64) -> i64,
    /// An update is due when stream time is this much later than the update's time.
    pub(crate) wait_ms: i64,
    /// Whether each key has one result, and no tombstone.
    pub(crate) is_final: bool,
    pub(crate) buffer: BufferConfig,
    pub(crate) idle_ms: Option<i64>,
}

/// One suppression.
pub(crate) struct Suppress<K, V> {
    rule: Rule<K>,
    buffer: Buffer,
    time: StreamTime,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    next: Next<K, Change<V>>,
}

impl<K: Data, V: Data> Suppress<K, V> {
    pub(crate) fn open(
        rule: Rule<K>,
        store: Rc<RefCell<ByteStore>>,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
        next: Next<K, Change<V>>,
    ) -> Result<Self, StoreError> {
        let buffer = Buffer::open(store)?;
        let time = StreamTime::new(buffer.saved_time()?, 0, rule.idle_ms);
        Ok(Self { rule, buffer, time, key, value, next })
    }

    /// Emits what is due, and what the buffer has no room for.
    fn evict(&mut self, ctx: &mut TaskContext) -> Outcome {
        let due_ms = self.time.now_ms() - self.rule.wait_ms;
        while let Some((time_ms, key)) = self.buffer.first() {
            if time_ms > due_ms {
                if !self.is_over() {
                    break;
                }
                if !self.rule.buffer.emits_early {
                    return Err(Failure::User(self.full().into()).into());
                }
            }
            self.emit(ctx, key)?;
            if ctx.is_full() {
                ctx.unfinished = true;
                break;
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let over = |bound: Option<usize>, used: usize| bound.is_some_and(|bound| used > bound);
        over(self.rule.buffer.max_records, self.buffer.len()) || over(self.rule.buffer.max_bytes, self.buffer.bytes())
    }

    #[cold]
    fn full(&self) -> String {
        format!(
            "the suppression's buffer is full with {} keys and {} bytes: give it more room (BufferConfig), \
             or let it emit early",
            self.buffer.len(),
            self.buffer.bytes()
        )
    }

    fn emit(&mut self, ctx: &mut TaskContext, key: Bytes) -> Outcome {
        let Some((held, timestamp)) = self.buffer.get(&key)? else {
            self.buffer.remove(ctx, key);
            return Ok(());
        };
        // The time that lets an update out is committed with it.
        self.time.mark_changed(ctx);
        self.buffer.remove(ctx, key.clone());
        if self.rule.is_final && held.new.is_none() {
            return Ok(());
        }
        ctx.or_left_out(|ctx| {
            let decode = |bytes: Option<Bytes>| bytes.map(|bytes| self.value.decode(bytes)).transpose();
            let value = Change::latest(decode(held.new)?, decode(held.prior)?);
            let record = Record { key: self.key.decode(key)?, value, timestamp, headers: held.headers };
            self.next.forward(ctx, record)
        })
    }
}

impl<K: Data, V: Data> Receive<K, Change<V>> for Suppress<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, Change<V>>) -> Outcome {
        let Record { key, value: change, timestamp, headers } = record;
        self.time.observe(ctx, timestamp);
        let bytes = self.key.encode(&key)?.unwrap_or_default();
        let encode = |value: Option<V>| value.map(|value| self.value.encode(&value)).transpose();
        let new = encode(change.new)?.flatten();
        let held = match self.buffer.time_of(&bytes) {
            Some(time_ms) if self.rule.is_final => Held { time_ms, prior: None, new, headers },
            Some(_) => match self.buffer.get(&bytes)? {
                Some((first, _)) => Held { new, headers, ..first },
                None => return Ok(()),
            },
            None => {
                let prior = if self.rule.is_final { None } else { encode(change.old)?.flatten() };
                Held { time_ms: (self.rule.time_of)(&key, timestamp), prior, new, headers }
            }
        };
        self.buffer.put(ctx, bytes, &held, timestamp)?;
        self.evict(ctx)
    }
}

impl<K: Data, V: Data> Lifecycle for Suppress<K, V> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        if let Some(now_ms) = self.time.take_changed() {
            self.buffer.save_time(now_ms);
        }
        Ok(())
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.time.tick(ctx);
        self.evict(ctx)
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.evict(ctx)
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        self.buffer.forget(ctx, key);
    }
}

/// The values that the steps below a suppression know.
pub(crate) struct SuppressedView<K, V> {
    pub(crate) of: Box<dyn View<K, V>>,
    pub(crate) buffer: Rc<RefCell<ByteStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
}

impl<K: Data, V: Data> View<K, V> for SuppressedView<K, V> {
    fn get(&mut self, ctx: &mut TaskContext, key: &K) -> Found<V> {
        let mut row_key = vec![UPDATE];
        self.key.encode_into(key, &mut row_key)?;
        let row = self.buffer.borrow().get(&row_key)?;
        match row {
            Some(row) => {
                let prior = Held::decode(row.value)?.prior;
                Ok(prior.map(|prior| self.value.decode(prior)).transpose()?.map(|value| (value, -1)))
            }
            None => self.of.get(ctx, key),
        }
    }
}
