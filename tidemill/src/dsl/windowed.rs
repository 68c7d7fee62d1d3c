//! Windowed count, reduce, aggregate and collect.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    CogroupedWindows, KStream, KTable, Materialized,
    grouped::{aggregate, reducer},
    late::Late,
    window_rows::WindowRows,
};
use crate::{
    graph::{LATE_PORT, MAIN_PORT, NodeId, StoreName},
    operators::{BuildNode, Collect, Folded, WindowInput},
    record::Data,
    windows::{EmitStrategy, TimeWindows, Windowed},
};

/// A grouped stream divided into time windows (`TimeWindowedKStream` in Kafka Streams).
/// [`KGroupedStream::windowed_by`](super::KGroupedStream::windowed_by) returns it.
///
/// By default every update is emitted. [`TimeWindowedKStream::emit`] can select final results. A record belongs to each
/// window that contains its timestamp. For a window that has closed, it is counted as `late` (`dropped-records` in
/// Kafka Streams). A record without a key is dropped and counted as `null-key`. Results have the highest timestamp of
/// their records. An update has the headers of its record, a final result has none: in Kafka Streams it has those of the
/// record that closed the window, which may be of any key.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{EmitStrategy, TimeWindows, Windowed};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
/// builder
///     .stream::<u64, String>("chat")
///     .group_by_key()
///     .windowed_by(minutes)
///     .emit(EmitStrategy::on_window_close())
///     .count("per-minute")
///     .to_stream()
///     .to("counts");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let chat = driver.input::<u64, String>("chat");
/// chat.pipe_all([(7, "hi".into(), 1_000), (7, "you".into(), 61_000), (7, "late, but within grace".into(), 2_000)])?;
/// let counts = driver.output::<Windowed<u64>, i64>("counts");
/// assert!(counts.read()?.is_empty(), "stream time is 61 s, so the minute is open");
/// chat.pipe_all([(7, "bye".into(), 65_000), (7, "too late".into(), 3_000)])?;
/// assert_eq!(counts.read_values()?, [2]);
/// assert_eq!(driver.status()?.tasks[0].records_dropped, [("per-minute".to_owned(), "late", 1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TimeWindowedKStream<K, V, W = TimeWindows> {
    pub(super) stream: KStream<K, V>,
    pub(super) windows: W,
    pub(super) emit: EmitStrategy,
    pub(super) late: Late,
}

impl<K: Data, V: Data, W> TimeWindowedKStream<K, V, W> {
    pub(super) fn new(stream: KStream<K, V>, windows: W) -> Self {
        Self { stream, windows, emit: EmitStrategy::default(), late: Late::default() }
    }

    /// Selects when results are emitted (`TimeWindowedKStream.emitStrategy` in Kafka Streams, KIP-825). The default is
    /// every update. [`collect`](Self::collect) and [`cogroup`](Self::cogroup) emit final results in any case; for
    /// them, `emit` can only set an idle time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let views = builder.stream::<u64, String>("views").group_by_key().windowed_by(minutes);
    /// views.emit(EmitStrategy::on_window_close()).count("views-per-minute").to_stream().to("final");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = driver.input::<u64, String>("views");
    /// views.pipe_all([(7, "/".into(), 0), (7, "/a".into(), 1)])?;
    /// assert!(driver.output::<Windowed<u64>, i64>("final").read()?.is_empty());
    /// views.pipe(8, "/".into(), 60_000)?; // Any record of the partition moves time.
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("final").read_values()?, [2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit(self, emit: EmitStrategy) -> Self {
        Self { emit, ..self }
    }

    /// The records that came after all their windows had closed. Each keeps its key, value, timestamp and headers. Late
    /// records are counted even if this is never called. Kafka Streams only counts them. A processor of late records asks
    /// [`late_by_ms`](crate::processor::ProcessingContext::late_by_ms) how late a record is.
    ///
    /// Call it before the step that ends the windowed stream, such as [`count`](Self::count). If none follows,
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let mut orders = builder.stream::<u64, i64>("orders").group_by_key().windowed_by(minutes);
    /// orders.late_records().to("late-orders");
    /// orders.reduce("spent-per-minute", |sum, cents| sum + cents);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 60_000), (1, 50, 59_999)])?;
    /// assert_eq!(driver.output::<u64, i64>("late-orders").read()?, [(1, 50, 59_999)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn late_records(&mut self) -> KStream<K, V> {
        self.late.records(&self.stream)
    }

    /// Adds the operator's node and connects the node of late records to it.
    pub(super) fn attach(&self, label: &'static str, name: &str, stores: Vec<StoreName>, build: BuildNode) -> NodeId {
        self.late.attach(&self.stream, label, name, stores, build)
    }
}

impl<K: Data, V: Data> TimeWindowedKStream<K, V> {
    /// Counts each key's records in each window (`TimeWindowedKStream.count` in Kafka Streams).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let hopping = TimeWindows::of_size_with_no_grace(Duration::from_secs(60)).advance_by(Duration::from_secs(30));
    /// builder.stream::<u64, String>("chat").group_by_key().windowed_by(hopping).count("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(7, "hi".into(), 40_000), (7, "bye".into(), 70_000)])?;
    /// let counts = driver.window_store::<u64, i64>("counts", 0)?.expect("it runs");
    /// // Each record counts in the two windows that contain it. The first window has closed and is gone.
    /// assert_eq!(counts.fetch(&7, 0, 90_000).read_all()?, [(30_000, 2), (60_000, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(self, materialized: impl Into<Materialized<K, i64>>) -> KTable<Windowed<K>, i64> {
        self.fold("windowed-count", materialized, |_, _, count| *count = Some(count.unwrap_or(0) + 1))
    }

    /// Combines each key's values in each window, two values at a time (`TimeWindowedKStream.reduce` in Kafka Streams).
    /// The first value of a window is its first result, without a call of `reduce`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let bids = builder.stream::<u64, i64>("bids").group_by_key().windowed_by(minutes);
    /// bids.reduce("best", i64::max).to_stream().to("best");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("bids").pipe_all([(1, 40, 0), (1, 30, 1), (1, 20, 60_000)])?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("best").read_values()?, [40, 40, 20]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce(
        self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, V> {
        self.fold("windowed-reduce", materialized, reducer(reduce))
    }

    /// Folds each key's values in each window into an aggregate (`TimeWindowedKStream.aggregate` in Kafka Streams). The
    /// aggregate starts as the result of `initializer`, and `aggregator` changes it in place. An aggregate that its
    /// codec encodes as null is deleted from the store.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let orders = builder.stream::<u64, i64>("orders").group_by_key().windowed_by(minutes);
    /// let add = |_: &u64, cents: i64, (count, sum): &mut (i64, i64)| (*count, *sum) = (*count + 1, *sum + cents);
    /// orders.aggregate("orders-per-minute", || (0, 0), add).to_stream().to("count-and-sum");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (1, 50, 1), (1, 10, 60_000)])?;
    /// let results = driver.output::<Windowed<u64>, (i64, i64)>("count-and-sum").read_values()?;
    /// assert_eq!(results, [(1, 250), (2, 300), (1, 10)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A: Data>(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        self.fold("windowed-aggregate", materialized, aggregate(initializer, aggregator))
    }

    /// Collects each key's values in each window. The list is emitted when the window closes, in the order in which the
    /// records came. Kafka Streams has no such step; an aggregate of a list writes the whole list with each element.
    ///
    /// Each element costs one row and one changelog record, whatever the length of the list. A value that its codec
    /// encodes as null is an error, because a store cannot keep a null.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes).collect("chat-minutes").to("minutes");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let chat = driver.input::<u64, String>("chat");
    /// chat.pipe_all([(7, "hi".into(), 20), (7, "you".into(), 10), (7, "bye".into(), 60_000)])?;
    /// let minutes = driver.output::<Windowed<u64>, Vec<String>>("minutes").read()?;
    /// // One list, with the highest timestamp of its elements.
    /// assert_eq!((minutes.len(), &minutes[0].1[..], minutes[0].2), (1, &["hi".to_owned(), "you".to_owned()][..], 20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collect(self, materialized: impl Into<Materialized<K, V>>) -> KStream<Windowed<K>, Vec<V>> {
        let rows = WindowRows::new(&self.stream.graph, self.windows, materialized.into());
        let (store, stores) = (rows.store.clone(), rows.stores());
        let (windows, emit) = (self.windows, self.emit.or_on_close());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let elements = rows.elements(assembly);
            let time = rows.time(assembly, windows, emit, &[])?;
            let (next, late) = (assembly.next(id, MAIN_PORT)?, assembly.next(id, LATE_PORT)?);
            let operator = Rc::new(RefCell::new(Collect { time, elements, next, late }));
            assembly.input::<K, V>(id, operator.clone());
            assembly.lifecycle(id, operator);
            Ok(())
        });
        let node = self.attach("collect", &store, stores, build);
        self.stream.graph.borrow_mut().graph.note_idle(node, emit.idle_ms(), windows.retention_ms());
        KStream::new(self.stream.graph.clone(), node)
    }

    /// Collects two streams into common windows. When a window closes, it is emitted if at least one side has elements.
    /// Kafka Streams has no such step.
    ///
    /// Both sides must have the same `windows`; [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an
    /// error otherwise. If both sides have an idle time, the shorter one counts.
    ///
    /// See the example of [`CogroupedWindows`].
    pub fn cogroup<R: Data>(self, other: TimeWindowedKStream<K, R>) -> CogroupedWindows<K, V, R> {
        CogroupedWindows::new(self, other)
    }

    pub(super) fn fold<A: Data, R: Folded + 'static>(
        self,
        label: &'static str,
        materialized: impl Into<Materialized<K, A>>,
        fold: impl Fn(&K, V, &mut Option<A>) -> R + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let rows = WindowRows::new(&self.stream.graph, self.windows, materialized.into());
        let (node_rows, fold) = (rows.clone(), Arc::new(fold));
        let (windows, emit) = (self.windows, self.emit);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = node_rows.aggregate(assembly, id, windows, emit)?;
            let late = assembly.next(id, LATE_PORT)?;
            assembly.input::<K, V>(id, Rc::new(RefCell::new(WindowInput { core, fold: fold.clone(), late })));
            Ok(())
        });
        let node = self.attach(label, &rows.store, rows.stores(), build);
        self.stream.graph.borrow_mut().graph.note_idle(node, emit.idle_ms(), windows.retention_ms());
        rows.table(self.stream.graph.clone(), node)
    }
}
