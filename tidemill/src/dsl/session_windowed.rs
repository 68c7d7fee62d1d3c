//! Count, reduce, aggregate and collect over sessions.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::BigEndian;

use super::{
    KStream, KTable, Materialized,
    builder::SharedCodec,
    grouped::{aggregate, reducer},
    late::Late,
    session_rows::{SessionRows, note_idle},
};
use crate::{
    graph::{LATE_PORT, MAIN_PORT},
    operators::{
        BuildNode, Failure, Folded, Merger, SessionCollect, SessionElements, SessionInitializer, SessionInput,
    },
    record::Data,
    windows::{EmitStrategy, SessionWindows, Windowed},
};

/// A grouped stream divided into sessions (`SessionWindowedKStream` in Kafka Streams).
/// [`KGroupedStream::windowed_by`](super::KGroupedStream::windowed_by) returns it.
///
/// By default every update is emitted: a tombstone for each session that a record extends or merges, with the end of
/// that session as timestamp, and then the session of the record. A session that is the record's timestamp alone is
/// overwritten without a tombstone. [`SessionWindowedKStream::emit`] can select final results. All results have the
/// session's end as timestamp, and no headers; in Kafka Streams, a final result has those of the record that closed the
/// session.
///
/// A record that belongs to no open session, and would be a closed session, is late: it is counted as `late`
/// (`dropped-records` in Kafka Streams). A late record that belongs to an open session is accepted. A record without a
/// key is dropped and counted as `null-key`. A session is closed when stream time is later than its end plus gap and
/// grace; its result is then final, and no record changes it. Kafka Streams may merge a closed session that its store
/// still has, and emit it again.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{SessionWindows, Windowed};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(30), Duration::from_secs(60));
/// let views = builder.stream::<u64, String>("views").group_by_key().windowed_by(visits);
/// views.count("visits").to_stream().to("counts");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let views = [(7, "/".into(), 0), (7, "/cart".into(), 50_000), (7, "between".into(), 25_000)];
/// driver.input::<u64, String>("views").pipe_all(views)?;
/// let counts = driver.output::<Windowed<u64>, Option<i64>>("counts").read()?;
/// let counts: Vec<_> = counts.iter().map(|(visit, count, _)| (visit.window.start, visit.window.end, *count)).collect();
/// let (first, second) = ((0, 0, Some(1)), (50_000, 50_000, Some(1)));
/// assert_eq!(counts, [first, second, (0, 0, None), (50_000, 50_000, None), (0, 50_000, Some(3))]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SessionWindowedKStream<K, V> {
    stream: KStream<K, V>,
    windows: SessionWindows,
    emit: EmitStrategy,
    late: Late,
}

impl<K: Data, V: Data> SessionWindowedKStream<K, V> {
    pub(super) fn new(stream: KStream<K, V>, windows: SessionWindows) -> Self {
        Self { stream, windows, emit: EmitStrategy::default(), late: Late::default() }
    }

    /// Selects when results are emitted (`SessionWindowedKStream.emitStrategy` in Kafka Streams). The default is every
    /// update. Final results are emitted by end, start, and the bytes of the key. [`collect`](Self::collect) emits final
    /// results in any case; for it, `emit` can only set an idle time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, SessionWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(30));
    /// let views = builder.stream::<u64, String>("views").group_by_key().windowed_by(visits);
    /// let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(60));
    /// views.emit(emit).count("visits").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("views").pipe_all([(7, "/".into(), 0), (7, "/cart".into(), 20_000)])?;
    /// let counts = driver.output::<Windowed<u64>, i64>("counts");
    /// assert!(counts.read()?.is_empty());
    /// driver.advance_wall_clock(Duration::from_secs(60))?;
    /// assert_eq!(counts.read_values()?, [2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit(self, emit: EmitStrategy) -> Self {
        Self { emit, ..self }
    }

    /// The records that came after their session had closed. Each keeps its key, value, timestamp and headers. Late
    /// records are counted even if this is never called. Kafka Streams only counts them. A processor of late records asks
    /// [`late_by_ms`](crate::processor::ProcessingContext::late_by_ms) how far a record is behind stream time.
    ///
    /// Call it before the step that ends the windowed stream, such as [`count`](Self::count). If none follows,
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::SessionWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(30));
    /// let mut views = builder.stream::<u64, String>("views").group_by_key().windowed_by(visits);
    /// views.late_records().to("late-views");
    /// views.count("visits");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("views").pipe_all([(7, "/".into(), 60_000), (8, "/".into(), 29_999)])?;
    /// assert_eq!(driver.output::<u64, String>("late-views").read()?, [(8, "/".into(), 29_999)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn late_records(&mut self) -> KStream<K, V> {
        self.late.records(&self.stream)
    }

    /// Counts the records of each session (`SessionWindowedKStream.count` in Kafka Streams). See the example of
    /// [`SessionWindowedKStream`].
    pub fn count(self, materialized: impl Into<Materialized<K, i64>>) -> KTable<Windowed<K>, i64> {
        let count = |_: &K, _, count: &mut Option<i64>| *count = Some(count.unwrap_or(0) + 1);
        self.fold("session-count", materialized, || None, count, |_, one, other| Ok(one + other))
    }

    /// Combines the values of each session, two values at a time (`SessionWindowedKStream.reduce` in Kafka Streams).
    /// `reduce` also merges the results of two sessions, the earlier one first.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, SessionWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let rounds = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(30));
    /// let bids = builder.stream::<u64, i64>("bids").group_by_key().windowed_by(rounds);
    /// bids.emit(EmitStrategy::on_window_close()).reduce("best-bids", i64::max).to_stream().to("best");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("bids").pipe_all([(1, 40, 0), (1, 30, 1), (1, 20, 60_000)])?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("best").read_values()?, [40]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce(
        self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, V> {
        let reduce = Arc::new(reduce);
        let merge = reduce.clone();
        let add = reducer(move |result, value| reduce(result, value));
        self.fold("session-reduce", materialized, || None, add, move |_, one, other| Ok(merge(one, other)))
    }

    /// Folds the values of each session into an aggregate (`SessionWindowedKStream.aggregate` in Kafka Streams).
    ///
    /// The aggregate starts as the result of `initializer`. The aggregates of stored sessions to which the record belongs
    /// are added to it with `merger`, earliest end first. Then `aggregator` adds the record. So each stored session meets
    /// an initial aggregate: merging with it must change nothing. An aggregate that its codec encodes as null deletes the
    /// session.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, SessionWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(30), Duration::from_secs(60));
    /// let orders = builder.stream::<u64, i64>("orders").group_by_key().windowed_by(visits);
    /// let add = |_: &u64, cents: i64, (count, sum): &mut (i64, i64)| (*count, *sum) = (*count + 1, *sum + cents);
    /// let merge = |_: &u64, one: (i64, i64), other: (i64, i64)| (one.0 + other.0, one.1 + other.1);
    /// let spent = orders.emit(EmitStrategy::on_window_close()).aggregate("visits", || (0, 0), add, merge);
    /// spent.to_stream().to("spent");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (1, 50, 40_000), (1, 10, 20_000), (2, 0, 130_001)])?;
    /// assert_eq!(driver.output::<Windowed<u64>, (i64, i64)>("spent").read_values()?, [(3, 310)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A: Data>(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> A + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let initializer = Arc::new(initializer);
        let first = initializer.clone();
        let add = aggregate(move || initializer(), aggregator);
        self.fold(
            "session-aggregate",
            materialized,
            move || Some(first()),
            add,
            move |key, one, other| Ok(merger(key, one, other)),
        )
    }

    /// Collects the values of each session. The list is emitted when the session closes. It is ordered by timestamp;
    /// values with the same timestamp are in the order in which they came. Kafka Streams has no such step; an aggregate
    /// of a list writes the whole list with each element.
    ///
    /// Each element costs one row and one changelog record, whatever the length of the list, and two sessions merge
    /// without a change of these rows. They are in the store `<store>-elements`; the store itself has the number of
    /// elements of each session. A value that its codec encodes as null is an error, because a store cannot keep a null.
    ///
    /// See the example of [`SessionWindows`].
    pub fn collect(self, materialized: impl Into<Materialized<K, V>>) -> KStream<Windowed<K>, Vec<V>> {
        let materialized: Materialized<K, V> = materialized.into();
        let emit = self.emit.or_on_close();
        let key = materialized.key.clone();
        let counts = Materialized::with(materialized.name.clone(), SharedCodec(key), BigEndian).kept_as(&materialized);
        let counts = Materialized { retention_ms: materialized.retention_ms, ..counts };
        let rows = SessionRows::new(&self.stream.graph, self.windows, counts);
        let beside = Materialized { name: format!("{}-elements", materialized.name), ..materialized };
        let elements = SessionRows::beside(&self.stream.graph, self.windows, beside);
        let (store, stores) = (rows.store.clone(), [rows.stores(), vec![elements.store.clone()]].concat());
        let windows = self.windows;
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (store, value) = (assembly.session_store(&elements.store), elements.value.clone());
            let operator = SessionCollect {
                sessions: rows.open(assembly, windows, emit)?,
                counts: rows.value.clone(),
                elements: SessionElements { store, value },
                next: assembly.next(id, MAIN_PORT)?,
                late: assembly.next(id, LATE_PORT)?,
            };
            let operator = Rc::new(RefCell::new(operator));
            assembly.input::<K, V>(id, operator.clone());
            assembly.lifecycle(id, operator);
            Ok(())
        });
        let node = self.late.attach(&self.stream, "session-collect", &store, stores, build);
        note_idle(&self.stream.graph, node, windows, emit);
        KStream::new(self.stream.graph.clone(), node)
    }

    pub(super) fn fold<A: Data, R: Folded + 'static>(
        self,
        label: &'static str,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> Option<A> + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut Option<A>) -> R + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> Result<A, Box<Failure>> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let rows = SessionRows::new(&self.stream.graph, self.windows, materialized.into());
        let (node_rows, fold) = (rows.clone(), Arc::new(aggregator));
        let (windows, emit) = (self.windows, self.emit);
        let (initializer, merger): (SessionInitializer<A>, Merger<K, A>) = (Arc::new(initializer), Arc::new(merger));
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = node_rows.aggregate(assembly, id, (windows, emit), (initializer.clone(), merger.clone()))?;
            let late = assembly.next(id, LATE_PORT)?;
            assembly.input::<K, V>(id, Rc::new(RefCell::new(SessionInput { core, fold: fold.clone(), late })));
            Ok(())
        });
        let node = self.late.attach(&self.stream, label, &rows.store, rows.stores(), build);
        note_idle(&self.stream.graph, node, windows, emit);
        rows.table(self.stream.graph.clone(), node, windows)
    }
}
