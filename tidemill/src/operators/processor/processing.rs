//! What every processor can ask of its task: times, positions, settings, a commit.

use std::collections::BTreeMap;

use super::Environment;
use crate::{
    error::Position,
    names::TaskId,
    operators::{Failure, Next, TaskContext, check_event_time},
    record::{Data, Record},
};

/// The operations that do not depend on what a processor emits (`ProcessingContext` in Kafka Streams). See the example
/// of [`Processor`](super::Processor).
pub struct ProcessingContext<'a> {
    pub(crate) task: &'a mut TaskContext,
    pub(crate) environment: &'a Environment,
    pub(crate) failure: &'a mut Option<Box<Failure>>,
}

impl ProcessingContext<'_> {
    /// The highest timestamp that the task has taken from any input, in milliseconds since the epoch; -1 before the
    /// first record (`ProcessingContext.currentStreamTimeMs` in Kafka Streams). It includes the current record and never
    /// falls.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// How late each record is, in milliseconds of stream time.
    /// struct Lateness;
    ///
    /// impl Processor<u64, i64, u64, i64> for Lateness {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         record: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let late_ms = ctx.current_stream_time_ms() - record.timestamp;
    ///         ctx.forward(record.with_value(late_ms));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.stream::<u64, i64>("readings").process("lateness", &[], || Lateness).to("lateness-ms");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("readings").pipe_all([(1, 0, 1_000), (1, 0, 400), (1, 0, 2_000)])?;
    /// assert_eq!(driver.output::<u64, i64>("lateness-ms").read_values()?, [0, 600, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current_stream_time_ms(&self) -> i64 {
        self.task.stream_time_ms
    }

    /// The wall time that the runtime last reported to the task, in milliseconds since the epoch
    /// (`ProcessingContext.currentSystemTimeMs` in Kafka Streams). It changes only between records. A record that is
    /// processed again sees a later time, so results that depend on it may differ.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// struct Stamp;
    ///
    /// impl Processor<u64, i64, u64, i64> for Stamp {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         record: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let now_ms = ctx.current_system_time_ms();
    ///         ctx.forward(record.with_value(now_ms));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.stream::<u64, i64>("orders").process("stamp", &[], || Stamp).to("received-at");
    ///
    /// let options = DriverOptions { wall_time_ms: 1_700_000_000_000, ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    /// driver.input::<u64, i64>("orders").pipe(1, 250, 0)?;
    /// assert_eq!(driver.output::<u64, i64>("received-at").read_values()?, [1_700_000_000_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current_system_time_ms(&self) -> i64 {
        self.task.wall_ms
    }

    /// How far a record of [`late_records`](crate::TimeWindowedKStream::late_records) is behind its windows' time, in
    /// milliseconds: how many milliseconds earlier it should have come to be the newest. The time is the partition's
    /// stream time, or the key's own time with
    /// [`event_time_by_key`](crate::TimeWindows::event_time_by_key). `None` for records that are not late, behind a
    /// repartition, and in a punctuation. Kafka Streams only logs it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{TimeWindows, processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// struct Lag;
    ///
    /// impl Processor<u64, i64, u64, i64> for Lag {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         late: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let lag_ms = ctx.late_by_ms().unwrap_or(0);
    ///         ctx.forward(late.with_value(lag_ms));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let mut orders = builder.stream::<u64, i64>("orders").group_by_key().windowed_by(minutes);
    /// orders.late_records().process("lag", &[], || Lag).to("lags");
    /// orders.count("orders-per-minute");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 65_000), (1, 50, 59_000)])?;
    /// assert_eq!(driver.output::<u64, i64>("lags").read_values()?, [6_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn late_by_ms(&self) -> Option<i64> {
        self.task.late_by_ms
    }

    /// The position of the record that is being processed; `None` in a punctuation (`ProcessingContext.recordMetadata`
    /// in Kafka Streams). It is the position of the task's input record, also for records that an earlier step made
    /// from it.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// struct Places;
    ///
    /// impl Processor<u64, i64, u64, String> for Places {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, String>,
    ///         record: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let place = ctx.record_metadata().map_or_else(String::new, |position| position.to_string());
    ///         ctx.forward(record.with_value(place));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.stream::<u64, i64>("orders").process("places", &[], || Places).to("places");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 50, 1)])?;
    /// let places = driver.output::<u64, String>("places").read_values()?;
    /// assert_eq!(places, ["topic 'orders', partition 0, offset 0", "topic 'orders', partition 0, offset 1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn record_metadata(&self) -> Option<Position> {
        let partition = self.environment.partitions.get(self.task.queue?)?.clone();
        Some(Position { partition, offset: self.task.offset })
    }

    /// Asks for a commit as soon as the current record is done (`ProcessingContext.commit` in Kafka Streams). Without
    /// it, the next commit comes after [`commit_interval`](crate::StreamsConfig::commit_interval). The commit contains
    /// the work of all tasks of the thread.
    ///
    /// ```
    /// # use tidemill::processor::{Processor, ProcessorContext, Record};
    /// # use tidemill::state::BoxError;
    /// /// Commits large payments at once, so that readers see them without delay.
    /// struct Payments;
    ///
    /// impl Processor<u64, i64, u64, i64> for Payments {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         payment: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         if payment.value >= 1_000_000 {
    ///             ctx.commit();
    ///         }
    ///         ctx.forward(payment);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn commit(&mut self) {
        self.task.commit_requested = true;
    }

    /// The task that the processor belongs to (`ProcessingContext.taskId` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::processor::{Processor, ProcessorContext, Record};
    /// # use tidemill::{StreamsBuilder, StreamsConfig, state::BoxError, testing::{DriverOptions, TopologyTestDriver}};
    /// # let builder = StreamsBuilder::new();
    /// /// Tells where each record was processed.
    /// struct Traces;
    ///
    /// impl Processor<u64, i64, u64, String> for Traces {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, String>,
    ///         order: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let site = ctx.application_setting("site").unwrap_or("unknown");
    ///         let trace = format!("{} of {} in {site}", ctx.task_id(), ctx.application_id());
    ///         ctx.forward(order.with_value(trace));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.stream::<u64, i64>("orders").process("traces", &[], || Traces).to("traces");
    ///
    /// let config = StreamsConfig::new("shop").application_setting("site", "Berlin");
    /// let options = DriverOptions { config, ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    /// driver.input::<u64, i64>("orders").pipe(1, 250, 0)?;
    /// assert_eq!(driver.output::<u64, String>("traces").read_values()?, ["0_0 of shop in Berlin"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn task_id(&self) -> TaskId {
        self.environment.task
    }

    /// The id of the application (`ProcessingContext.applicationId` in Kafka Streams). See the example of
    /// [`task_id`](Self::task_id).
    pub fn application_id(&self) -> &str {
        &self.environment.application.id
    }

    /// A setting of the application, or `None` if it is not set. See the example of [`task_id`](Self::task_id).
    pub fn application_setting(&self, key: &str) -> Option<&str> {
        self.environment.application.settings.get(key).map(String::as_str)
    }

    /// All settings of the application (`ProcessingContext.appConfigs` in Kafka Streams, which also has the settings of
    /// the engine): [`StreamsConfig::application_settings`](crate::StreamsConfig::application_settings).
    pub fn application_settings(&self) -> &BTreeMap<String, String> {
        &self.environment.application.settings
    }

    /// Passes a record on. An earlier failure stays.
    pub(super) fn pass<K: Data, V: Data>(&mut self, next: &Next<K, V>, record: Record<K, V>) {
        if self.failure.is_none() {
            let valid = check_event_time(record.timestamp);
            *self.failure = valid.and_then(|()| next.forward(self.task, record)).err();
        }
    }
}
