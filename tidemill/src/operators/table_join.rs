//! A join of two tables: one of its two inputs.

use std::sync::Arc;

use super::{Failure, Next, Outcome, Receive, TaskContext, View};
use crate::{
    record::{Data, Record},
    table::Change,
};

/// Joins each change of one table with the present value of the other.
pub(crate) struct TableJoin<K, O, V2, F> {
    pub(crate) other: Box<dyn View<K, O>>,
    /// Whether a key without a value in the other table has no result.
    pub(crate) needs_other: bool,
    pub(crate) join: Arc<F>,
    pub(crate) sends_old: bool,
    pub(crate) next: Next<K, Change<V2>>,
}

impl<K: Data, V: Data, O: Data, V2: Data, F, E: Into<Box<Failure>>> Receive<K, Change<V>> for TableJoin<K, O, V2, F>
where
    F: Fn(&K, Option<V>, Option<O>) -> Result<Option<V2>, E>,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, Change<V>>) -> Outcome {
        if ctx.drops_out_of_order(&record.value) {
            return Ok(());
        }
        let Record { key, value: change, timestamp, headers } = record;
        let (other, at) = match self.other.get(ctx, &key)? {
            Some((other, at)) => (Some(other), at),
            None if self.needs_other || change.new.is_none() && change.old.is_none() => return Ok(()),
            None => (None, -1),
        };
        let join = |value, other| (self.join)(&key, value, other).map_err(E::into);
        let old = if self.sends_old { join(change.old, other.clone())? } else { None };
        let new = join(change.new, other)?;
        let timestamp = timestamp.max(at);
        self.next.forward(ctx, Record { key, value: Change::latest(new, old), timestamp, headers })
    }
}
