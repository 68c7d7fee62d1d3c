//! The left table of a foreign-key join: joins its values with the answers that come back.

use std::sync::Arc;

use tidemill_state::Codec;

use super::{
    super::{DropReason, Failure, Next, Outcome, Receive, TaskContext, View},
    Answer, hash,
};
use crate::{
    record::{Data, Record},
    table::Change,
};

/// Joins the present value of each key with its answer. Drops an answer to a value that the key no longer has: the
/// present value has an answer of its own.
pub(crate) struct ForeignKeyJoin<K, V, T, F, V2> {
    pub(crate) table: Box<dyn View<K, V>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) other: Arc<dyn Codec<T>>,
    pub(crate) join: Arc<F>,
    pub(crate) next: Next<K, Change<V2>>,
}

impl<K: Data, V: Data, T: Data, V2: Data, F, E: Into<Box<Failure>>> Receive<K, Answer>
    for ForeignKeyJoin<K, V, T, F, V2>
where
    F: Fn(&K, V, Option<T>) -> Result<Option<V2>, E>,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, Answer>) -> Outcome {
        let Record { key, value: answer, timestamp, headers } = record;
        let present = match self.table.get(ctx, &key)? {
            Some((present, _)) if hash(&*self.value, &present)? == answer.hash => present,
            _ => {
                ctx.count_dropped(ctx.node, DropReason::Outdated);
                return Ok(());
            }
        };
        let other = answer.value.map(|value| self.other.decode(value)).transpose()?;
        let new = (self.join)(&key, present, other).map_err(E::into)?;
        self.next.forward(ctx, Record { key, value: Change::latest(new, None), timestamp, headers })
    }
}
