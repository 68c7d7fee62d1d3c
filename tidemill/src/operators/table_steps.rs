//! Steps of tables: each takes changes and emits changes.

use std::sync::Arc;

use tidemill_state::Codec;

use super::{Failure, Next, Outcome, Target, TaskContext};
use crate::{
    record::{Data, Record},
    table::Change,
    transport::Headers,
};

/// Emits what each key has now, as a stream.
pub(crate) struct ToStream<K, V> {
    pub(crate) next: Next<K, Option<V>>,
}

impl<K: Data, V: Data> Target<K, Change<V>> for ToStream<K, V> {
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: Change<V>, timestamp: i64, headers: Headers) -> Outcome {
        self.next.hand_over(ctx, Record { key, value: value.new, timestamp, headers })
    }
}

/// Passes records on that have a value.
pub(crate) struct DropNullValues<K, V> {
    pub(crate) next: Next<K, V>,
}

impl<K: Data, V: Data> Target<K, Option<V>> for DropNullValues<K, V> {
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: Option<V>, timestamp: i64, headers: Headers) -> Outcome {
        match value {
            Some(value) => self.next.hand_over(ctx, Record { key, value, timestamp, headers }),
            None => Ok(()),
        }
    }
}

/// Makes other values of a table's values.
pub(crate) struct TableMap<F, K, V> {
    pub(crate) map: Arc<F>,
    /// Whether a change from nothing to nothing is left out. Only a filter makes such changes, and only old values show
    /// them.
    pub(crate) skips_nothing: bool,
    pub(crate) next: Next<K, Change<V>>,
}

impl<K: Data, T: Data, V: Data, F, E: Into<Box<Failure>>> Target<K, Change<T>> for TableMap<F, K, V>
where
    F: Fn(&K, T) -> Result<Option<V>, E>,
{
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: Change<T>, timestamp: i64, headers: Headers) -> Outcome {
        let value = value.map(|value| (self.map)(&key, value)).map_err(E::into)?;
        if self.skips_nothing && value.new.is_none() && value.old.is_none() {
            return Ok(());
        }
        self.next.hand_over(ctx, Record { key, value, timestamp, headers })
    }
}

/// Gives a table's values another key, so that they can be aggregated by it. What a key had before is taken away there;
/// what it has now is added.
pub(crate) struct GroupTable<F, K2, V2> {
    pub(crate) map: Arc<F>,
    pub(crate) key: Arc<dyn Codec<K2>>,
    pub(crate) value: Arc<dyn Codec<V2>>,
    pub(crate) next: Next<K2, Change<V2>>,
}

impl<F, K2: Data, V2: Data> GroupTable<F, K2, V2> {
    fn pair<K, V, E: Into<Box<Failure>>>(&self, key: &K, value: Option<V>) -> Result<Option<(K2, V2)>, Box<Failure>>
    where
        F: Fn(&K, V) -> Result<(K2, V2), E>,
    {
        let pair = value.map(|value| (self.map)(key, value)).transpose().map_err(E::into)?;
        Ok(pair.filter(|(key, value)| !self.key.is_null(key) && !self.value.is_null(value)))
    }
}

impl<K: Data, V: Data, K2: Data, V2: Data, F, E: Into<Box<Failure>>> Target<K, Change<V>> for GroupTable<F, K2, V2>
where
    F: Fn(&K, V) -> Result<(K2, V2), E>,
{
    fn take(&self, ctx: &mut TaskContext, key: K, value: Change<V>, timestamp: i64, headers: Headers) -> Outcome {
        // A group has what its keys have now.
        if !value.is_latest {
            return Ok(());
        }
        let (old, new) = (self.pair(&key, value.old)?, self.pair(&key, value.new)?);
        let forward = |ctx: &mut TaskContext, key, new, old, headers| {
            self.next.forward(ctx, Record { key, value: Change::latest(new, old), timestamp, headers })
        };
        match (old, new) {
            (Some((from, old)), Some((to, new))) if self.key.encode(&from)? == self.key.encode(&to)? => {
                forward(ctx, to, Some(new), Some(old), headers)
            }
            (old, new) => {
                if let Some((from, old)) = old {
                    forward(ctx, from, None, Some(old), headers.clone())?;
                }
                match new {
                    Some((to, new)) => forward(ctx, to, Some(new), None, headers),
                    None => Ok(()),
                }
            }
        }
    }
}
