//! A join of a stream with a global table.

use std::sync::Arc;

use super::{DropReason, Failure, Next, Outcome, Receive, TaskContext, View};
use crate::record::{Data, Record};

/// Joins each record with the global table's value of the key that the record is mapped to.
pub(crate) struct GlobalJoin<GK, T, S, F, V2, K> {
    pub(crate) table: Box<dyn View<GK, T>>,
    pub(crate) select: Arc<S>,
    /// Whether a record that is mapped to no key is dropped.
    pub(crate) needs_key: bool,
    pub(crate) join: Arc<F>,
    pub(crate) next: Next<K, V2>,
}

impl<K: Data, V, GK: Data, T: Data, V2: Data, S, F, E: Into<Box<Failure>>> Receive<K, V>
    for GlobalJoin<GK, T, S, F, V2, K>
where
    S: Fn(&K, &V) -> Option<GK>,
    F: Fn(&K, V, Option<T>) -> Result<Option<V2>, E>,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        let mapped = (self.select)(&key, &value);
        if mapped.is_none() && self.needs_key {
            ctx.count_dropped(ctx.node, DropReason::NullKey);
            return Ok(());
        }
        let found = mapped.map(|mapped| self.table.get(ctx, &mapped)).transpose()?.flatten();
        match (self.join)(&key, value, found.map(|(value, _)| value)).map_err(E::into)? {
            Some(value) => self.next.forward(ctx, Record { key, value, timestamp, headers }),
            None => Ok(()),
        }
    }
}
