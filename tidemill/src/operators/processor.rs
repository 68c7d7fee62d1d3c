//! The Processor API: custom operators with stores, punctuations and full control over forwarded records.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tidemill_state::{BoxError, Codec, Coded, KeyValueStore, SessionStore, WindowStore};

use super::{Failure, Next, Schedule, StoreHandle, TaskContext, check_event_time};
use crate::{
    clock::millis,
    error::Position,
    graph::StoreName,
    record::{Data, Record},
    transport::TopicPartition,
};

/// A custom operator (`Processor` of `org.apache.kafka.streams.processor.api`, KIP-478). One instance serves one task.
/// Threads never share an instance. [`KStream::process`](crate::KStream::process) runs it.
///
/// A processor must be deterministic: it takes the time from the record or from [`ProcessorContext`], never from a
/// clock. An error stops the task unless the processing handler decides otherwise; a panic always stops it. In both
/// cases nothing of that record is committed. An instance does not survive a rollback: the next one starts with
/// [`init`](Self::init). So keep what must survive in a store.
///
/// There is no `close` as in Kafka Streams: use `Drop`, for resources only.
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
    /// [`ProcessorContext::schedule`] returned it.
    fn punctuate(
        &mut self,
        _ctx: &mut ProcessorContext<'_, KOut, VOut>,
        _punctuation: Punctuation,
        _time_ms: i64,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Identifies a scheduled punctuation (`Cancellable` in Kafka Streams). See the example of
/// [`ProcessorContext::cancel`].
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

/// The operations that a processor can use while it is called (`ProcessorContext` in Kafka Streams). `K` and `V` are
/// the types that the processor emits. See the example of [`Processor`].
pub struct ProcessorContext<'a, K: Data, V: Data> {
    pub(crate) task: &'a mut TaskContext,
    pub(crate) next: &'a Next<K, V>,
    pub(crate) stores: &'a BTreeMap<StoreName, StoreHandle>,
    pub(crate) partitions: &'a [TopicPartition],
    pub(crate) failure: &'a mut Option<Box<Failure>>,
}

impl<K: Data, V: Data> ProcessorContext<'_, K, V> {
    /// Passes a record to the operators after this one (`ProcessorContext.forward` in Kafka Streams, which can also
    /// choose one child). If the record's timestamp is negative or more than half of the largest 64-bit integer, this
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
        if self.failure.is_none() {
            let valid = check_event_time(record.timestamp);
            *self.failure = valid.and_then(|()| self.next.forward(self.task, record)).err();
        }
    }

    /// The highest timestamp that the task has taken from any input, in milliseconds since the epoch; -1 before the
    /// first record (`ProcessorContext.currentStreamTimeMs` in Kafka Streams). It includes the current record and never
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
    ///         let late_ms = ctx.stream_time_ms() - record.timestamp;
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
    pub fn stream_time_ms(&self) -> i64 {
        self.task.stream_time_ms
    }

    /// The wall time that the runtime last reported to the task, in milliseconds since the epoch
    /// (`ProcessorContext.currentSystemTimeMs` in Kafka Streams). It changes only between records. A record that is
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
    ///         let now_ms = ctx.wall_time_ms();
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
    pub fn wall_time_ms(&self) -> i64 {
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

    /// The position of the record that is being processed; `None` in a punctuation (`ProcessorContext.recordMetadata`
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
    ///         let place = ctx.position().map_or_else(String::new, |position| position.to_string());
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
    pub fn position(&self) -> Option<Position> {
        let partition = self.partitions.get(self.task.queue?)?.clone();
        Some(Position { partition, offset: self.task.offset })
    }

    /// Calls [`Processor::punctuate`] every `interval`; the shortest is 1 ms (`ProcessorContext.schedule` in Kafka
    /// Streams). Missed calls are combined into one. Schedules are not kept across restarts: call this in
    /// [`Processor::init`].
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
    ///             ctx.request_commit();
    ///         }
    ///         ctx.forward(payment);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn request_commit(&mut self) {
        self.task.commit_requested = true;
    }

    /// A key-value store that is connected to this processor, with the default codecs of the types
    /// (`ProcessorContext.getStateStore` in Kafka Streams). The types must be those with which the store was declared.
    /// See the example of [`Processor`].
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is a window store.
    pub fn key_value_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<KeyValueStore<SK, SV>, BoxError> {
        self.key_value_store_with(name, SK::Codec::default(), SV::Codec::default())
    }

    /// A key-value store that is connected to this processor, with the given codecs. They must be those with which the
    /// store was declared.
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is a window store.
    ///
    /// ```
    /// # use tidemill::{Materialized, processor::{Processor, ProcessorContext, Record}};
    /// # use tidemill::state::{BigEndian, BoxError, Json};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Remembers the items of each user, as JSON.
    /// struct Items;
    ///
    /// impl Processor<u64, String, (), ()> for Items {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, (), ()>,
    ///         order: Record<u64, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let items = ctx.key_value_store_with("items", BigEndian, Json::<Vec<String>>::default())?;
    ///         let mut list = items.get(&order.key)?.unwrap_or_default();
    ///         list.push(order.value);
    ///         Ok(items.put(&order.key, &list, order.timestamp)?)
    ///     }
    /// }
    ///
    /// builder.add_key_value_store(Materialized::<u64, _>::with("items", BigEndian, Json::<Vec<String>>::default()));
    /// builder.stream::<u64, String>("orders").process("items-of-user", &["items"], || Items);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("orders").pipe_all([(1, "tea".into(), 0), (1, "jam".into(), 1)])?;
    /// let items = driver.key_value_store::<u64, String>("items", 0)?.expect("it runs");
    /// assert_eq!(items.get(&1)?.as_deref(), Some(r#"["tea","jam"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key_value_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<KeyValueStore<SK, SV>, BoxError> {
        match self.store(name)? {
            StoreHandle::KeyValue(store) => Ok(KeyValueStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            other => Err(format!("store '{name}' is a {} store", other.kind()).into()),
        }
    }

    /// A window store that is connected to this processor, with the default codecs of the types
    /// (`ProcessorContext.getStateStore` in Kafka Streams). See the example of
    /// [`StreamsBuilder::add_window_store`](crate::StreamsBuilder::add_window_store).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is a key-value store.
    pub fn window_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<WindowStore<SK, SV>, BoxError> {
        self.window_store_with(name, SK::Codec::default(), SV::Codec::default())
    }

    /// A window store that is connected to this processor, with the given codecs. See the example of
    /// [`key_value_store_with`](Self::key_value_store_with).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is a key-value store.
    pub fn window_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<WindowStore<SK, SV>, BoxError> {
        match self.store(name)? {
            StoreHandle::Window(store) => Ok(WindowStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            other => Err(format!("store '{name}' is a {} store", other.kind()).into()),
        }
    }

    /// A session store that is connected to this processor, with the default codecs of the types
    /// (`ProcessorContext.getStateStore` in Kafka Streams). See the example of
    /// [`StreamsBuilder::add_session_store`](crate::StreamsBuilder::add_session_store).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind.
    pub fn session_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<SessionStore<SK, SV>, BoxError> {
        self.session_store_with(name, SK::Codec::default(), SV::Codec::default())
    }

    /// A session store that is connected to this processor, with the given codecs. See the example of
    /// [`key_value_store_with`](Self::key_value_store_with).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind.
    pub fn session_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<SessionStore<SK, SV>, BoxError> {
        match self.store(name)? {
            StoreHandle::Session(store) => Ok(SessionStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            other => Err(format!("store '{name}' is a {} store", other.kind()).into()),
        }
    }

    fn store(&self, name: &str) -> Result<&StoreHandle, BoxError> {
        self.stores.get(name).ok_or_else(|| {
            let known: Vec<_> = self.stores.keys().map(|name| &**name).collect();
            format!("store '{name}' is not connected to this processor; connected are [{}]", known.join(", ")).into()
        })
    }
}
