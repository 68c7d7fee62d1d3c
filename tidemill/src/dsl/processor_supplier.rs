//! Where processors come from, and the stores that they bring.

use super::StoreBuilder;
use crate::{
    operators::processor::{FixedKeyProcessor, Processor},
    record::Data,
};

/// Makes the processors of a step, one for each task (`ProcessorSupplier` in Kafka Streams). A closure without arguments
/// that returns a processor is a supplier. A type of its own can also bring the stores of its processors, so that who
/// uses it need not know them (`ConnectedStoreProvider` in Kafka Streams).
///
/// ```
/// # use tidemill::processor::{Processor, ProcessorContext, ProcessorSupplier, Record};
/// # use tidemill::{Materialized, StoreBuilder, StreamsBuilder, state::BoxError, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// /// Passes on the first record of each key.
/// struct First;
///
/// impl Processor<u64, String, u64, String> for First {
///     fn process(
///         &mut self,
///         ctx: &mut ProcessorContext<'_, u64, String>,
///         record: Record<u64, String>,
///     ) -> Result<(), BoxError> {
///         let seen = ctx.key_value_store::<u64, bool>("seen")?;
///         if seen.put_if_absent(&record.key, &true, record.timestamp)?.is_none() {
///             ctx.forward(record);
///         }
///         Ok(())
///     }
/// }
///
/// struct Firsts;
///
/// impl ProcessorSupplier<u64, String, u64, String> for Firsts {
///     type Processor = First;
///
///     fn get(&self) -> First {
///         First
///     }
///
///     fn stores(&self) -> Vec<StoreBuilder> {
///         vec![StoreBuilder::key_value::<u64, bool>(Materialized::named("seen").in_memory())]
///     }
/// }
///
/// builder.stream::<u64, String>("chat").process("firsts", &[], Firsts).to("greet");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("chat").pipe_all([(1, "hi".into(), 0), (1, "me again".into(), 1)])?;
/// assert_eq!(driver.output::<u64, String>("greet").read_values()?, ["hi"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ProcessorSupplier<KIn, VIn, KOut: Data, VOut: Data>: Send + Sync + 'static {
    /// The processors that it makes.
    type Processor: Processor<KIn, VIn, KOut, VOut> + 'static;

    /// Makes a processor (`ProcessorSupplier.get` in Kafka Streams). It is called once for each task, and again after a
    /// rollback; each call must return a new instance.
    fn get(&self) -> Self::Processor;

    /// The stores of its processors, which the step is then connected to (`ConnectedStoreProvider.stores` in Kafka
    /// Streams). Two suppliers share a store if they return equal builders. The default is none.
    fn stores(&self) -> Vec<StoreBuilder> {
        Vec::new()
    }
}

impl<S, P, KIn, VIn, KOut: Data, VOut: Data> ProcessorSupplier<KIn, VIn, KOut, VOut> for S
where
    S: Fn() -> P + Send + Sync + 'static,
    P: Processor<KIn, VIn, KOut, VOut> + 'static,
{
    type Processor = P;

    fn get(&self) -> P {
        self()
    }
}

/// Makes the processors of a step that keeps keys, as [`ProcessorSupplier`] does (`FixedKeyProcessorSupplier` in Kafka
/// Streams). A closure without arguments that returns such a processor is a supplier.
///
/// ```
/// # use tidemill::processor::{
/// #     FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyProcessorSupplier, FixedKeyRecord,
/// # };
/// # use tidemill::{StoreBuilder, StreamsBuilder, state::BoxError, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// /// Numbers the records of each key.
/// struct Number;
///
/// impl FixedKeyProcessor<u64, String, i64> for Number {
///     fn process(
///         &mut self,
///         ctx: &mut FixedKeyProcessorContext<'_, u64, i64>,
///         record: FixedKeyRecord<u64, String>,
///     ) -> Result<(), BoxError> {
///         let numbers = ctx.key_value_store::<u64, i64>("numbers")?;
///         let number = numbers.get(record.key())?.unwrap_or(0) + 1;
///         numbers.put(record.key(), &number, record.timestamp)?;
///         ctx.forward(record.with_value(number));
///         Ok(())
///     }
/// }
///
/// struct Numbers;
///
/// impl FixedKeyProcessorSupplier<u64, String, i64> for Numbers {
///     type Processor = Number;
///
///     fn get(&self) -> Number {
///         Number
///     }
///
///     fn stores(&self) -> Vec<StoreBuilder> {
///         vec![StoreBuilder::key_value::<u64, i64>("numbers")]
///     }
/// }
///
/// builder.stream::<u64, String>("chat").process_values("number", &[], Numbers).to("numbered");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("chat").pipe_all([(1, "hi".into(), 0), (1, "bye".into(), 1)])?;
/// assert_eq!(driver.output::<u64, i64>("numbered").read_values()?, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait FixedKeyProcessorSupplier<K: Data, VIn, VOut: Data>: Send + Sync + 'static {
    /// The processors that it makes.
    type Processor: FixedKeyProcessor<K, VIn, VOut> + 'static;

    /// Makes a processor, as [`ProcessorSupplier::get`].
    fn get(&self) -> Self::Processor;

    /// The stores of its processors, as [`ProcessorSupplier::stores`].
    fn stores(&self) -> Vec<StoreBuilder> {
        Vec::new()
    }
}

impl<S, P, K: Data, VIn, VOut: Data> FixedKeyProcessorSupplier<K, VIn, VOut> for S
where
    S: Fn() -> P + Send + Sync + 'static,
    P: FixedKeyProcessor<K, VIn, VOut> + 'static,
{
    type Processor = P;

    fn get(&self) -> P {
        self()
    }
}
