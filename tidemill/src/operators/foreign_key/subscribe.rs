//! The left table of a foreign-key join: subscribes its keys to their foreign keys.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::Codec;

use super::{
    super::{DropReason, Failure, Next, Outcome, Receive, TaskContext},
    Subscription, hash,
    messages::Instruction,
};
use crate::{
    graph::Port,
    record::{Data, Record},
    table::Change,
};

/// Subscriptions, for the right table's tasks. Results are on the main port.
pub(crate) const SUBSCRIPTION_PORT: Port = 1;

/// Subscribes each key to the foreign key of its value, and ends its earlier subscription.
///
/// A key that has no foreign key needs no answer. Its result is emitted here at once: if it came as an answer, a newer
/// value of the key could make the answer look outdated, and the earlier result would stay.
pub(crate) struct Subscribe<K, V, FK, V2, E, F> {
    pub(crate) foreign_key_of: Arc<E>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) foreign_key: Arc<dyn Codec<FK>>,
    /// The result of a value without a foreign key.
    pub(crate) join_alone: Arc<F>,
    /// Whether values without a partner have a result.
    pub(crate) keeps_left: bool,
    pub(crate) partition: i32,
    pub(crate) results: Next<K, Change<V2>>,
    pub(crate) subscriptions: Next<FK, Subscription>,
}

/// A foreign key and its bytes.
type Foreign<FK> = Option<(FK, Bytes)>;

impl<K: Data, V: Data, FK: Data, V2: Data, E, F> Subscribe<K, V, FK, V2, E, F>
where
    E: Fn(&K, &V) -> Option<FK>,
{
    fn foreign(&self, key: &K, value: Option<&V>) -> Result<Foreign<FK>, Box<Failure>> {
        let Some(foreign) = value.and_then(|value| (self.foreign_key_of)(key, value)) else { return Ok(None) };
        let bytes = self.foreign_key.encode(&foreign)?;
        Ok(bytes.map(|bytes| (foreign, bytes)))
    }

    fn send(&self, ctx: &mut TaskContext, record: &Record<K, ()>, to: FK, what: (Instruction, u128)) -> Outcome {
        let key = self.key.encode(&record.key)?.unwrap_or_default();
        let value = Subscription { instruction: what.0, hash: what.1, partition: self.partition, key };
        let (timestamp, headers) = (record.timestamp, record.headers.clone());
        self.subscriptions.forward(ctx, Record { key: to, value, timestamp, headers })
    }
}

impl<K: Data, V: Data, FK: Data, V2: Data, E, F> Receive<K, Change<V>> for Subscribe<K, V, FK, V2, E, F>
where
    E: Fn(&K, &V) -> Option<FK>,
    F: Fn(&K, V) -> Result<Option<V2>, Box<Failure>>,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, Change<V>>) -> Outcome {
        if ctx.drops_out_of_order(&record.value) {
            return Ok(());
        }
        let Record { key, value: Change { new, old, .. }, timestamp, headers } = record;
        if new.is_none() && old.is_none() {
            return Ok(());
        }
        let (from, to) = (self.foreign(&key, old.as_ref())?, self.foreign(&key, new.as_ref())?);
        let record = Record { key, value: (), timestamp, headers };
        let was_joined = from.is_some();
        if let Some((from, bytes)) = from
            && to.as_ref().is_none_or(|(_, to)| *to != bytes)
        {
            self.send(ctx, &record, from, (Instruction::Delete, 0))?;
        }
        if let (Some((to, _)), Some(new)) = (to, &new) {
            let always = self.keeps_left || was_joined;
            let instruction = if always { Instruction::Answer } else { Instruction::AnswerIfFound };
            let hash = hash(&*self.value, new)?;
            return self.send(ctx, &record, to, (instruction, hash));
        }
        if new.is_some() && !self.keeps_left {
            ctx.count_dropped(ctx.node, DropReason::NullForeignKey);
        }
        if !self.keeps_left && !was_joined {
            return Ok(());
        }
        let Record { key, timestamp, headers, .. } = record;
        let new = new.map(|new| (self.join_alone)(&key, new)).transpose()?.flatten();
        self.results.forward(ctx, Record { key, value: Change::latest(new, None), timestamp, headers })
    }
}
