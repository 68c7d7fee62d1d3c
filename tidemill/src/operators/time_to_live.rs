//! Rows that were not written for their store's time to live: they are deleted, and a table tells its later steps.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{ByteStore, Codec, Row, StoreError};

use super::{Failure, Next, Outcome, TaskContext};
use crate::{
    graph::{Live, NodeId},
    record::{Data, Record},
    table::Change,
    transport::Headers,
};

/// The most keys that one turn looks at.
pub(crate) const EXPIRED_AT_ONCE: usize = 1_000;

/// What happens after a row was deleted: its key, the row, and the time at which it expired.
type Tell = Box<dyn FnMut(&mut TaskContext, Bytes, Row, i64) -> Outcome>;

/// The time to live of a store's rows.
pub(crate) struct TimeToLive {
    store: Rc<RefCell<ByteStore>>,
    live: Live,
    tell: Option<(NodeId, Tell)>,
}

impl TimeToLive {
    /// Of a store that no later step hears of.
    pub(crate) fn new(store: Rc<RefCell<ByteStore>>, live: Live) -> Self {
        Self { store, live, tell: None }
    }

    /// Of a table: the steps behind it get a tombstone.
    pub(crate) fn of_table<K: Data, V: Data>(
        store: Rc<RefCell<ByteStore>>,
        live: Live,
        node: NodeId,
        key: Arc<dyn Codec<K>>,
        old: Option<Arc<dyn Codec<V>>>,
        next: Next<K, Change<V>>,
    ) -> Self {
        let tell: Tell = Box::new(move |ctx, bytes, row, timestamp| {
            let old = old.as_ref().map(|codec| codec.decode(row.value)).transpose()?;
            let (key, value) = (key.decode(bytes)?, Change::latest(None, old));
            next.forward(ctx, Record { key, value, timestamp, headers: Headers::new() })
        });
        Self { store, live, tell: Some((node, tell)) }
    }

    /// The silence after which the time goes on.
    pub(crate) fn idle_after_ms(&self) -> Option<i64> {
        self.live.idle_after_ms
    }

    /// Orders the store's rows by time. This reads all of them.
    pub(crate) fn index(&self) -> Result<(), StoreError> {
        self.store.borrow_mut().index_times()
    }

    /// Deletes rows that are due at `now_ms`, earliest first. `false` if more of them may be due.
    pub(crate) fn expire(&mut self, ctx: &mut TaskContext, now_ms: i64) -> Result<bool, Box<Failure>> {
        let until = now_ms.saturating_sub(self.live.live_ms);
        let (rows, all) = self.store.borrow_mut().take_expired(until, EXPIRED_AT_ONCE)?;
        for (key, row) in rows {
            if let Some((node, tell)) = &mut self.tell {
                ctx.node = *node;
                let expired_ms = row.timestamp.saturating_add(self.live.live_ms);
                // The row stays deleted if a later step refuses the tombstone. It must not come up again for ever.
                ctx.or_left_out(|ctx| tell(ctx, key, row, expired_ms))?;
            }
        }
        Ok(all)
    }
}
