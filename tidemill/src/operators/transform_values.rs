//! Transformers of a table's values (KIP-149).

use std::ops::{Deref, DerefMut};

use tidemill_state::BoxError;

use super::{
    Failure, TaskContext, View,
    processor::{Environment, ProcessingContext, Processor, ProcessorContext, Punctuation},
    table_view::Found,
};
use crate::{
    record::{Data, Record},
    table::Change,
};

/// Makes another value of each value of a table, with stores (`ValueTransformerWithKey` in Kafka Streams).
/// [`KTable::transform_values`](crate::KTable::transform_values) runs it.
///
/// A task may have several transformers of one step: a join with a table without a store has one of its own. So what a
/// transformer remembers from one call to the next must be in a store.
///
/// ```
/// # use tidemill::{processor::{ValueTransformerContext, ValueTransformerWithKey}, state::BoxError};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// /// The lowest price that an item ever had.
/// struct Lowest;
///
/// impl ValueTransformerWithKey<String, i64, i64> for Lowest {
///     fn transform(
///         &mut self,
///         ctx: &mut ValueTransformerContext<'_>,
///         item: &String,
///         price: Option<&i64>,
///     ) -> Result<Option<i64>, BoxError> {
///         let Some(price) = price else { return Ok(None) };
///         let store = ctx.key_value_store::<String, i64>("lowest")?;
///         let lowest = store.get(item)?.map_or(*price, |lowest| lowest.min(*price));
///         store.put(item, &lowest, ctx.current_stream_time_ms())?;
///         Ok(Some(lowest))
///     }
/// }
///
/// builder.add_key_value_store::<String, i64>("lowest");
/// let prices = builder.table::<String, i64>("prices", "prices");
/// prices.transform_values("lowest-price", &["lowest"], || Lowest).to_stream().to("lowest-prices");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let prices = driver.input::<String, Option<i64>>("prices");
/// prices.pipe_all([("tea".into(), Some(300), 0), ("tea".into(), None, 1), ("tea".into(), Some(350), 2)])?;
/// let lowest = driver.output::<String, Option<i64>>("lowest-prices").read_values()?;
/// assert_eq!(lowest, [Some(300), None, Some(300)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ValueTransformerWithKey<K, V, V2> {
    /// Called before the first value (`ValueTransformerWithKey.init` in Kafka Streams).
    ///
    /// # Errors
    ///
    /// An error fails the task.
    fn init(&mut self, _ctx: &mut ValueTransformerContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }

    /// The value that the key then has in the new table; `None` if it has none. `value` is `None` if the key has none in
    /// the table before, such as after a tombstone (`ValueTransformerWithKey.transform` in Kafka Streams).
    ///
    /// # Errors
    ///
    /// An error goes to the [`processing_handler`](crate::StreamsConfig::processing_handler).
    fn transform(
        &mut self,
        ctx: &mut ValueTransformerContext<'_>,
        key: &K,
        value: Option<&V>,
    ) -> Result<Option<V2>, BoxError>;

    /// Called when a punctuation is due, as [`Processor::punctuate`].
    ///
    /// # Errors
    ///
    /// An error goes to the [`processing_handler`](crate::StreamsConfig::processing_handler).
    fn punctuate(
        &mut self,
        _ctx: &mut ValueTransformerContext<'_>,
        _punctuation: Punctuation,
        _time_ms: i64,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The operations that a transformer can use while it is called: those of [`ProcessingContext`]. It cannot forward
/// records (`ProcessorContext` without `forward` in Kafka Streams). See the example of [`ValueTransformerWithKey`].
pub struct ValueTransformerContext<'a>(ProcessingContext<'a>);

impl<'a> Deref for ValueTransformerContext<'a> {
    type Target = ProcessingContext<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for ValueTransformerContext<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// Runs a transformer as a processor of a table's changes.
pub(crate) struct TransformValues<T> {
    pub(crate) transformer: T,
    /// Whether a later step needs the values before each change. The transformer then also transforms those.
    pub(crate) sends_old: bool,
}

impl<T> TransformValues<T> {
    fn call<K: Data, V: Data, R>(
        &mut self,
        ctx: &mut ProcessorContext<'_, K, V>,
        call: impl FnOnce(&mut T, &mut ValueTransformerContext<'_>) -> R,
    ) -> R {
        let ProcessingContext { task, environment, failure } = &mut ctx.common;
        let inner = ProcessingContext { task, environment, failure };
        call(&mut self.transformer, &mut ValueTransformerContext(inner))
    }
}

impl<T, K: Data, V: Data, V2: Data> Processor<K, Change<V>, K, Change<V2>> for TransformValues<T>
where
    T: ValueTransformerWithKey<K, V, V2>,
{
    fn init(&mut self, ctx: &mut ProcessorContext<'_, K, Change<V2>>) -> Result<(), BoxError> {
        self.call(ctx, T::init)
    }

    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, K, Change<V2>>,
        record: Record<K, Change<V>>,
    ) -> Result<(), BoxError> {
        let Record { key, value: Change { new, old, is_latest }, timestamp, headers } = record;
        let new = self.call(ctx, |transformer, ctx| transformer.transform(ctx, &key, new.as_ref()))?;
        let old = if self.sends_old {
            self.call(ctx, |transformer, ctx| transformer.transform(ctx, &key, old.as_ref()))?
        } else {
            None
        };
        ctx.forward(Record { key, value: Change { new, old, is_latest }, timestamp, headers });
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, K, Change<V2>>,
        punctuation: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        self.call(ctx, |transformer, ctx| transformer.punctuate(ctx, punctuation, time_ms))
    }
}

/// Values that a transformer makes of another table's values.
pub(crate) struct TransformedView<K, V, T> {
    pub(crate) of: Box<dyn View<K, V>>,
    pub(crate) transformer: T,
    pub(crate) environment: Environment,
    pub(crate) is_open: bool,
}

impl<K: Data, V: Data, V2: Data, T: ValueTransformerWithKey<K, V, V2>> View<K, V2> for TransformedView<K, V, T> {
    fn get(&mut self, task: &mut TaskContext, key: &K) -> Found<V2> {
        let found = self.of.get(task, key)?;
        self.transformed(task, key, found)
    }

    fn get_as_of(&mut self, task: &mut TaskContext, key: &K, as_of: i64) -> Found<V2> {
        let found = self.of.get_as_of(task, key, as_of)?;
        self.transformed(task, key, found)
    }
}

impl<K: Data, V: Data, T> TransformedView<K, V, T> {
    fn transformed<V2: Data>(&mut self, task: &mut TaskContext, key: &K, found: Option<(V, i64)>) -> Found<V2>
    where
        T: ValueTransformerWithKey<K, V, V2>,
    {
        let (value, timestamp) = found.unzip();
        let mut failure = None;
        let inner = ProcessingContext { task, environment: &self.environment, failure: &mut failure };
        let ctx = &mut ValueTransformerContext(inner);
        let mut transform = || {
            if !std::mem::replace(&mut self.is_open, true) {
                self.transformer.init(ctx)?;
            }
            self.transformer.transform(ctx, key, value.as_ref())
        };
        let value = transform().map_err(|error| Box::new(Failure::User(error)))?;
        Ok(value.map(|value| (value, timestamp.unwrap_or(-1))))
    }
}
