//! The Processor API: custom operators with stores, punctuations and full control over forwarded records.

mod context;
mod environment;
mod fixed_key;
mod metrics;
mod outputs;
mod processing;
mod schedule;
mod stores;

use tidemill_state::BoxError;

pub use context::{FixedKeyProcessorContext, ProcessorContext};
pub(crate) use environment::{Application, Environment};
pub(crate) use fixed_key::FixedKey;
pub use fixed_key::{FixedKeyProcessor, FixedKeyRecord};
pub(crate) use metrics::Metrics;
pub use metrics::{Counter, Gauge, MetricValue, Recorded, Summary};
pub use outputs::Output;
pub use processing::ProcessingContext;

use crate::record::{Data, Record};

/// A custom operator (`Processor` of `org.apache.kafka.streams.processor.api`, KIP-478). One instance serves one task.
/// Threads never share an instance. [`KStream::process`](crate::KStream::process) runs it.
///
/// A processor must be deterministic: it takes the time from the record or from [`ProcessorContext`], never from a
/// clock. An error stops the task unless the processing handler decides otherwise; a panic always stops it. In both
/// cases nothing of that record is committed. An instance does not survive a rollback: the next one starts with
/// [`init`](Self::init). So keep what must survive in a store.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record};
/// # use tidemill::state::BoxError;
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// /// Once a minute of stream time, emits how many orders came so far.
/// struct OrdersSoFar;
///
/// impl Processor<u64, i64, String, i64> for OrdersSoFar {
///     fn init(&mut self, ctx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
///         ctx.schedule(Duration::from_secs(60), PunctuationType::StreamTime);
///         Ok(())
///     }
///
///     fn process(
///         &mut self,
///         ctx: &mut ProcessorContext<'_, String, i64>,
///         order: Record<u64, i64>,
///     ) -> Result<(), BoxError> {
///         let totals = ctx.key_value_store::<String, i64>("totals")?;
///         let count = totals.get(&"orders".into())?.unwrap_or(0);
///         Ok(totals.put(&"orders".into(), &(count + 1), order.timestamp)?)
///     }
///
///     fn punctuate(
///         &mut self,
///         ctx: &mut ProcessorContext<'_, String, i64>,
///         _: Punctuation,
///         time_ms: i64,
///     ) -> Result<(), BoxError> {
///         if let Some(count) = ctx.key_value_store::<String, i64>("totals")?.get(&"orders".into())? {
///             ctx.forward(Record::new("orders".into(), count, time_ms));
///         }
///         Ok(())
///     }
/// }
///
/// builder.add_key_value_store::<String, i64>("totals");
/// builder.stream::<u64, i64>("orders").process("so-far", &["totals"], || OrdersSoFar).to("reports");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 1_000), (2, 50, 59_000), (3, 90, 61_000)])?;
/// let reports = driver.output::<String, i64>("reports").read()?;
/// assert_eq!(reports, [("orders".to_owned(), 1, 1_000), ("orders".to_owned(), 3, 61_000)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Processor<KIn, VIn, KOut: Data, VOut: Data> {
    /// Called once, before the first record. Fetch stores and schedule punctuations here. The default does nothing.
    fn init(&mut self, _ctx: &mut ProcessorContext<'_, KOut, VOut>) -> Result<(), BoxError> {
        Ok(())
    }

    /// Called for each record.
    fn process(&mut self, ctx: &mut ProcessorContext<'_, KOut, VOut>, record: Record<KIn, VIn>)
    -> Result<(), BoxError>;

    /// Called when a punctuation is due. `time_ms` is stream time or wall time, as scheduled, in milliseconds since the
    /// epoch. The default does nothing.
    ///
    /// In Kafka Streams, each schedule has a callback of its own. Here `_punctuation` tells which schedule is due:
    /// [`ProcessingContext::schedule`] returned it.
    fn punctuate(
        &mut self,
        _ctx: &mut ProcessorContext<'_, KOut, VOut>,
        _punctuation: Punctuation,
        _time_ms: i64,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    /// Called once for each instance whose [`init`](Self::init) was called, when its task ends on this thread: the
    /// application stops, the task moves away, fails, or is rolled back (`Processor.close` in Kafka Streams). Only a
    /// process that is killed does not call it. The default does nothing.
    ///
    /// It may free what the instance holds outside the engine, such as a file or a connection. It has no context: what
    /// was not committed by now is undone, so it can neither forward records nor write to stores, and it should not use
    /// a store's handle. It must not wait for long, because the thread's other tasks wait meanwhile. A panic is logged
    /// and has no other effect.
    ///
    /// ```
    /// # use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// # use tidemill::processor::{Processor, ProcessorContext, Record};
    /// # use tidemill::{StreamsBuilder, state::BoxError, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Holds a connection, and gives it back at the end.
    /// struct Holder(Arc<AtomicUsize>);
    ///
    /// impl Processor<u64, i64, u64, i64> for Holder {
    ///     fn process(&mut self, _: &mut ProcessorContext<'_, u64, i64>, _: Record<u64, i64>) -> Result<(), BoxError> {
    ///         Ok(())
    ///     }
    ///
    ///     fn close(&mut self) {
    ///         self.0.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let given_back = Arc::new(AtomicUsize::new(0));
    /// let counter = given_back.clone();
    /// builder.stream::<u64, i64>("orders").process("holder", &[], move || Holder(counter.clone())).to("out");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe(1, 250, 0)?;
    /// assert_eq!(given_back.load(Ordering::Relaxed), 0);
    /// drop(driver);
    /// assert_eq!(given_back.load(Ordering::Relaxed), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn close(&mut self) {}
}

/// Identifies a scheduled punctuation (`Cancellable` in Kafka Streams). See the example of
/// [`ProcessingContext::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Punctuation(pub(crate) u32);

/// The time that a punctuation follows (`PunctuationType` in Kafka Streams). See the example of [`Processor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PunctuationType {
    /// The task's stream time. Punctuations are aligned to the epoch; the first call comes with the first record.
    StreamTime,
    /// The wall clock. The first call comes one interval after scheduling. The call gets the time of the wall clock,
    /// but a monotonic clock measures the interval: punctuations continue if the wall clock is set back.
    WallClockTime,
}
