//! Processors that cannot change the key.

use tidemill_state::BoxError;

use super::{FixedKeyProcessorContext, Processor, ProcessorContext, Punctuation};
use crate::{
    record::{Data, Record},
    transport::Headers,
};

/// A custom operator that keeps the key of each record (`FixedKeyProcessor` in Kafka Streams, KIP-820). What it forwards
/// is still partitioned by the key, so no repartition is needed after it.
/// [`KStream::process_values`](crate::KStream::process_values) runs it. For the rest, see
/// [`Processor`](super::Processor).
///
/// ```
/// # use tidemill::processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord};
/// # use tidemill::state::BoxError;
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// /// The difference from the previous price of the item.
/// struct Change;
///
/// impl FixedKeyProcessor<String, i64, i64> for Change {
///     fn process(
///         &mut self,
///         ctx: &mut FixedKeyProcessorContext<'_, String, i64>,
///         price: FixedKeyRecord<String, i64>,
///     ) -> Result<(), BoxError> {
///         let last = ctx.key_value_store::<String, i64>("last")?;
///         let before = last.get(price.key())?.unwrap_or(0);
///         last.put(price.key(), &price.value, price.timestamp)?;
///         let change = price.value - before;
///         ctx.forward(price.with_value(change));
///         Ok(())
///     }
/// }
///
/// builder.add_key_value_store::<String, i64>("last");
/// let changes = builder.stream::<String, i64>("prices").process_values("changes", &["last"], || Change);
/// // The key is still the item: the stream can be counted without a repartition.
/// changes.group_by_key().count("changes-of-item");
/// changes.to("price-changes");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<String, i64>("prices").pipe_all([("tea".into(), 300, 0), ("tea".into(), 280, 1)])?;
/// assert_eq!(driver.output::<String, i64>("price-changes").read_values()?, [300, -20]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait FixedKeyProcessor<K: Data, VIn, VOut: Data> {
    /// As [`Processor::init`].
    fn init(&mut self, _ctx: &mut FixedKeyProcessorContext<'_, K, VOut>) -> Result<(), BoxError> {
        Ok(())
    }

    /// As [`Processor::process`].
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, K, VOut>,
        record: FixedKeyRecord<K, VIn>,
    ) -> Result<(), BoxError>;

    /// As [`Processor::punctuate`]. A record that is forwarded here must be one that came earlier, because only the task
    /// makes records with a fixed key.
    fn punctuate(
        &mut self,
        _ctx: &mut FixedKeyProcessorContext<'_, K, VOut>,
        _punctuation: Punctuation,
        _time_ms: i64,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    /// As [`Processor::close`].
    fn close(&mut self) {}
}

/// A record whose key cannot change (`FixedKeyRecord` in Kafka Streams). Only the task makes such records. See the
/// example of [`FixedKeyProcessor`].
///
/// The key is read with [`key`](Self::key); it cannot be set:
///
/// ```compile_fail,E0616
/// fn change(record: &mut tidemill::processor::FixedKeyRecord<u64, i64>) {
///     record.key = 7;
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedKeyRecord<K, V> {
    key: K,
    /// The value.
    pub value: V,
    /// Event time, milliseconds since the epoch.
    pub timestamp: i64,
    /// The headers.
    pub headers: Headers,
}

impl<K, V> FixedKeyRecord<K, V> {
    /// The key. See the example of [`FixedKeyProcessor`].
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The same record with another value (`FixedKeyRecord.withValue` in Kafka Streams). See the example of
    /// [`FixedKeyProcessor`].
    pub fn with_value<V2>(self, value: V2) -> FixedKeyRecord<K, V2> {
        let Self { key, timestamp, headers, .. } = self;
        FixedKeyRecord { key, value, timestamp, headers }
    }

    pub(super) fn into_record(self) -> Record<K, V> {
        let Self { key, value, timestamp, headers } = self;
        Record { key, value, timestamp, headers }
    }
}

/// Runs a [`FixedKeyProcessor`] as a [`Processor`].
pub(crate) struct FixedKey<P>(pub(crate) P);

impl<P, K: Data, VIn, VOut: Data> Processor<K, VIn, K, VOut> for FixedKey<P>
where
    P: FixedKeyProcessor<K, VIn, VOut>,
{
    fn init(&mut self, ctx: &mut ProcessorContext<'_, K, VOut>) -> Result<(), BoxError> {
        self.0.init(&mut FixedKeyProcessorContext(ctx.reborrow()))
    }

    fn process(&mut self, ctx: &mut ProcessorContext<'_, K, VOut>, record: Record<K, VIn>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        let record = FixedKeyRecord { key, value, timestamp, headers };
        self.0.process(&mut FixedKeyProcessorContext(ctx.reborrow()), record)
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, K, VOut>,
        punctuation: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        self.0.punctuate(&mut FixedKeyProcessorContext(ctx.reborrow()), punctuation, time_ms)
    }

    fn close(&mut self) {
        self.0.close();
    }
}
