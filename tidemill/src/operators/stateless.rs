//! Operators without state: map, filter, flat map, peek, merge, and the filter of null keys.

use std::sync::Arc;

use super::{DropReason, Next, Outcome, Target, TaskContext};
use crate::{
    record::{Data, Record},
    transport::Headers,
};

/// Turns a record into another.
pub(crate) struct Map<F, K2, V2> {
    pub(crate) map: Arc<F>,
    pub(crate) next: Next<K2, V2>,
}

impl<K, V, K2: Data, V2: Data, F> Target<K, V> for Map<F, K2, V2>
where
    F: Fn(Record<K, V>) -> Record<K2, V2>,
{
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        self.next.hand_over(ctx, (self.map)(Record { key, value, timestamp, headers }))
    }
}

/// Passes records with a key on, and counts the others as dropped.
pub(crate) struct DropNullKeys<K, V> {
    pub(crate) next: Next<K, V>,
}

impl<K: Data, V: Data> Target<Option<K>, V> for DropNullKeys<K, V> {
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: Option<K>, value: V, timestamp: i64, headers: Headers) -> Outcome {
        match key {
            Some(key) => self.next.hand_over(ctx, Record { key, value, timestamp, headers }),
            None => {
                ctx.count_dropped(ctx.node, DropReason::NullKey);
                Ok(())
            }
        }
    }
}

/// Passes records on for which a predicate is true.
pub(crate) struct Filter<F, K, V> {
    pub(crate) predicate: Arc<F>,
    pub(crate) next: Next<K, V>,
}

impl<K: Data, V: Data, F: Fn(&K, &V) -> bool> Target<K, V> for Filter<F, K, V> {
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        if (self.predicate)(&key, &value) {
            self.next.hand_over(ctx, Record { key, value, timestamp, headers })
        } else {
            Ok(())
        }
    }
}

/// Turns a record into any number of records with its timestamp and headers.
pub(crate) struct FlatMap<F, K2, V2> {
    pub(crate) map: Arc<F>,
    pub(crate) next: Next<K2, V2>,
}

impl<K, V, K2: Data, V2: Data, I, F> Target<K, V> for FlatMap<F, K2, V2>
where
    I: IntoIterator<Item = (K2, V2)>,
    F: Fn(K, V) -> I,
{
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        for (key, value) in (self.map)(key, value) {
            self.next.forward(ctx, Record { key, value, timestamp, headers: headers.clone() })?;
        }
        Ok(())
    }
}

/// Calls a function for each record.
pub(crate) struct Peek<F, K, V> {
    pub(crate) look: Arc<F>,
    pub(crate) next: Next<K, V>,
}

impl<K: Data, V: Data, F: Fn(&K, &V)> Target<K, V> for Peek<F, K, V> {
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        (self.look)(&key, &value);
        self.next.hand_over(ctx, Record { key, value, timestamp, headers })
    }
}

/// Passes on the records of several streams.
pub(crate) struct Merge<K, V> {
    pub(crate) next: Next<K, V>,
}

impl<K: Data, V: Data> Target<K, V> for Merge<K, V> {
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        self.next.hand_over(ctx, Record { key, value, timestamp, headers })
    }
}
