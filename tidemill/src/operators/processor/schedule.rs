//! Punctuations of processors.

use std::time::Duration;

use super::{ProcessingContext, Punctuation, PunctuationType};
use crate::{clock::millis, operators::Schedule};

impl ProcessingContext<'_> {
    /// Calls [`Processor::punctuate`](super::Processor::punctuate) every `interval`; the shortest is 1 ms (`ProcessingContext.schedule` in Kafka
    /// Streams). Missed calls are combined into one. Schedules are not kept across restarts: call this in
    /// [`Processor::init`](super::Processor::init).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record};
    /// # use tidemill::state::BoxError;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Emits the wall time every 10 s, whether or not records come.
    /// struct Heartbeat;
    ///
    /// impl Processor<u64, i64, (), i64> for Heartbeat {
    ///     fn init(&mut self, ctx: &mut ProcessorContext<'_, (), i64>) -> Result<(), BoxError> {
    ///         ctx.schedule(Duration::from_secs(10), PunctuationType::WallClockTime);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, _: &mut ProcessorContext<'_, (), i64>, _: Record<u64, i64>) -> Result<(), BoxError> {
    ///         Ok(())
    ///     }
    ///
    ///     fn punctuate(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, (), i64>,
    ///         _: Punctuation,
    ///         time_ms: i64,
    ///     ) -> Result<(), BoxError> {
    ///         ctx.forward(Record::new((), time_ms, time_ms));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.stream::<u64, i64>("orders").process("heartbeat", &[], || Heartbeat).to("beats");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.advance_wall_clock(Duration::from_secs(10))?;
    /// driver.advance_wall_clock(Duration::from_secs(35))?; // Three calls were missed. They are combined into one.
    /// assert_eq!(driver.output::<(), i64>("beats").read_values()?, [10_000, 45_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> Punctuation {
        let id = Punctuation(self.task.next_punctuation);
        self.task.next_punctuation += 1;
        let interval_ms = millis(interval).max(1);
        let due_ms = match kind {
            PunctuationType::StreamTime => 0,
            PunctuationType::WallClockTime => self.task.monotonic_ms + interval_ms,
        };
        let schedule = Schedule { node: self.task.node, id, kind, interval_ms, due_ms };
        self.task.change_schedules(|schedules| schedules.push(schedule));
        id
    }

    /// Cancels a punctuation (`Cancellable.cancel` in Kafka Streams). A punctuation that was cancelled before has no
    /// effect.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record};
    /// # use tidemill::state::BoxError;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Emits once, and then stops.
    /// struct Once;
    ///
    /// impl Processor<u64, i64, (), i64> for Once {
    ///     fn init(&mut self, ctx: &mut ProcessorContext<'_, (), i64>) -> Result<(), BoxError> {
    ///         ctx.schedule(Duration::from_secs(10), PunctuationType::WallClockTime);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, _: &mut ProcessorContext<'_, (), i64>, _: Record<u64, i64>) -> Result<(), BoxError> {
    ///         Ok(())
    ///     }
    ///
    ///     fn punctuate(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, (), i64>,
    ///         due: Punctuation,
    ///         time_ms: i64,
    ///     ) -> Result<(), BoxError> {
    ///         ctx.cancel(due);
    ///         ctx.forward(Record::new((), time_ms, time_ms));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.stream::<u64, i64>("orders").process("once", &[], || Once).to("started");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.advance_wall_clock(Duration::from_secs(10))?;
    /// driver.advance_wall_clock(Duration::from_secs(10))?;
    /// assert_eq!(driver.output::<(), i64>("started").read_values()?, [10_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&mut self, punctuation: Punctuation) {
        self.task.change_schedules(|schedules| schedules.retain(|schedule| schedule.id != punctuation));
    }
}
