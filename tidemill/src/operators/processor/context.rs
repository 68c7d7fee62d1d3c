//! What a processor can do while it is called.

use std::ops::{Deref, DerefMut};

use super::{FixedKeyRecord, Output, ProcessingContext};
use crate::{
    operators::Next,
    record::{Data, Record},
};

/// The operations that a processor can use while it is called (`ProcessorContext` in Kafka Streams). `K` and `V` are
/// the types that the processor emits. All operations of [`ProcessingContext`] are operations of this type, too. See the
/// example of [`Processor`](super::Processor).
pub struct ProcessorContext<'a, K: Data, V: Data> {
    pub(crate) common: ProcessingContext<'a>,
    pub(crate) next: &'a Next<K, V>,
}

impl<'a, K: Data, V: Data> Deref for ProcessorContext<'a, K, V> {
    type Target = ProcessingContext<'a>;

    fn deref(&self) -> &Self::Target {
        &self.common
    }
}

impl<K: Data, V: Data> DerefMut for ProcessorContext<'_, K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.common
    }
}

impl<K: Data, V: Data> ProcessorContext<'_, K, V> {
    /// Passes a record to the steps after this one (`ProcessorContext.forward` in Kafka Streams).
    /// [`forward_to`](Self::forward_to) passes it to one output. If the record's timestamp is negative or more than half of the largest 64-bit integer, this
    /// processor fails with an error. If a later operator fails, further calls for the same record have no effect.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Splits an order into one record for each cent.
    /// struct Cents;
    ///
    /// impl Processor<u64, i64, u64, i64> for Cents {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         order: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         for _ in 0..order.value {
    ///             ctx.forward(order.clone().with_value(1));
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.stream::<u64, i64>("orders").process("cents", &[], || Cents).to("cents");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe(7, 2, 5)?;
    /// assert_eq!(driver.output::<u64, i64>("cents").read()?, [(7, 1, 5), (7, 1, 5)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forward(&mut self, record: Record<K, V>) {
        self.common.pass(self.next, record);
    }

    /// Passes a record to one declared output (`ProcessorContext.forward` with a child's name in Kafka Streams). The
    /// output may have other types than the processor. The rest is as with [`forward`](Self::forward). See the example
    /// of [`KStream::processing`](crate::KStream::processing).
    ///
    /// An output belongs to the step that declared it. If another step uses it, the processor fails.
    pub fn forward_to<K2: Data, V2: Data>(&mut self, output: Output<K2, V2>, record: Record<K2, V2>) {
        self.common.pass_to(output, record);
    }

    pub(super) fn reborrow(&mut self) -> ProcessorContext<'_, K, V> {
        let ProcessingContext { task, environment, failure } = &mut self.common;
        ProcessorContext { common: ProcessingContext { task, environment, failure }, next: self.next }
    }
}

/// The operations that a [`FixedKeyProcessor`](super::FixedKeyProcessor) can use while it is called
/// (`FixedKeyProcessorContext` in Kafka Streams). `K` is the type of the key, and `V` the type of the values that the
/// processor emits. All operations of [`ProcessingContext`] are operations of this type, too.
pub struct FixedKeyProcessorContext<'a, K: Data, V: Data>(pub(super) ProcessorContext<'a, K, V>);

impl<'a, K: Data, V: Data> Deref for FixedKeyProcessorContext<'a, K, V> {
    type Target = ProcessingContext<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0.common
    }
}

impl<K: Data, V: Data> DerefMut for FixedKeyProcessorContext<'_, K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0.common
    }
}

impl<K: Data, V: Data> FixedKeyProcessorContext<'_, K, V> {
    /// Passes a record to the steps after this one, as [`ProcessorContext::forward`]. See the example of
    /// [`FixedKeyProcessor`](super::FixedKeyProcessor).
    pub fn forward(&mut self, record: FixedKeyRecord<K, V>) {
        self.0.forward(record.into_record());
    }

    /// Passes a record to one declared output, as [`ProcessorContext::forward_to`]. See the example of
    /// [`KStream::processing_values`](crate::KStream::processing_values).
    pub fn forward_to<V2: Data>(&mut self, output: Output<K, V2>, record: FixedKeyRecord<K, V2>) {
        self.0.forward_to(output, record.into_record());
    }
}
