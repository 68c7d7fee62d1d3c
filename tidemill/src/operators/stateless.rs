//! Operators without state: map, filter, flat map, peek, merge, and the filter of null keys.
//!
//! The functions of users return results. A function that cannot fail has the error `Infallible`: such a result has
//! the size of its value, and no code checks it.

use std::sync::Arc;

use super::{DropReason, Failure, Next, Outcome, Target, TaskContext};
use crate::{
    record::{Data, Record},
    transport::Headers,
};

/// Turns a record into another.
pub(crate) struct Map<F, K2, V2> {
    pub(crate) map: Arc<F>,
    pub(crate) next: Next<K2, V2>,
}

impl<K, V, K2: Data, V2: Data, F, E: Into<Box<Failure>>> Target<K, V> for Map<F, K2, V2>
where
    F: Fn(Record<K, V>) -> Result<Record<K2, V2>, E>,
{
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        let record = (self.map)(Record { key, value, timestamp, headers }).map_err(E::into)?;
        self.next.hand_over(ctx, record)
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

impl<K: Data, V: Data, F, E: Into<Box<Failure>>> Target<K, V> for Filter<F, K, V>
where
    F: Fn(&K, &V) -> Result<bool, E>,
{
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        if (self.predicate)(&key, &value).map_err(E::into)? {
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

impl<K, V, K2: Data, V2: Data, I, F, E: Into<Box<Failure>>> Target<K, V> for FlatMap<F, K2, V2>
where
    I: IntoIterator<Item = (K2, V2)>,
    F: Fn(K, V) -> Result<I, E>,
{
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        for (key, value) in (self.map)(key, value).map_err(E::into)? {
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

impl<K: Data, V: Data, F, E: Into<Box<Failure>>> Target<K, V> for Peek<F, K, V>
where
    F: Fn(&K, &V) -> Result<(), E>,
{
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        (self.look)(&key, &value).map_err(E::into)?;
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
