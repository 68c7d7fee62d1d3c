//! Count, reduce and aggregate in sliding windows.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    KTable, Materialized, TimeWindowedKStream,
    grouped::{aggregate, reducer},
    window_rows::WindowRows,
};
use crate::{
    graph::LATE_PORT,
    operators::{BuildNode, Folded, SlidingInput},
    record::Data,
    windows::{SlidingWindows, Windowed},
};

/// Sliding windows. A record updates each window that contains it, and opens up to three: the one that ends with it, the
/// one behind it, and the one behind the record before it.
impl<K: Data, V: Data> TimeWindowedKStream<K, V, SlidingWindows> {
    /// Counts each key's records in each window (`TimeWindowedKStream.count` in Kafka Streams).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, SlidingWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let windows = SlidingWindows::of_time_difference_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// let logins = builder.stream::<u64, String>("failed-logins").group_by_key().windowed_by(windows);
    /// let counts = logins.emit(EmitStrategy::on_window_close()).count("in-a-minute").to_stream().drop_null_values();
    /// counts.filter(|_, count| *count >= 3).to("attacks");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let logins = driver.input::<u64, String>("failed-logins");
    /// // Three within a minute, though they are in two minutes of the clock.
    /// for at_ms in [110_000, 125_000, 150_000, 400_000] {
    ///     logins.pipe(7, "guess".into(), at_ms)?;
    /// }
    /// let attacks = driver.output::<Windowed<u64>, i64>("attacks").read()?;
    /// let attacks: Vec<_> = attacks.into_iter().map(|(at, count, _)| (at.window.end, count)).collect();
    /// assert_eq!(attacks, [(150_000, 3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(self, materialized: impl Into<Materialized<K, i64>>) -> KTable<Windowed<K>, i64> {
        self.fold("sliding-count", materialized, |_, _, count| *count = Some(count.unwrap_or(0) + 1))
    }

    /// Combines each key's values in each window, two values at a time (`TimeWindowedKStream.reduce` in Kafka Streams).
    /// Values come in the order in which they arrive. The first value of a window is its first result, without a call of
    /// `reduce`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{SlidingWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let windows = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// let bids = builder.stream::<u64, i64>("bids").group_by_key().windowed_by(windows);
    /// bids.reduce("best", i64::max).to_stream().to("best");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("bids").pipe_all([(1, 40, 90_000), (1, 30, 120_000)])?;
    /// // The first alone; behind it, the second alone; both.
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("best").read_values()?, [40, 30, 40]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce(
        self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, V> {
        self.fold("sliding-reduce", materialized, reducer(reduce))
    }

    /// Folds each key's values in each window into an aggregate (`TimeWindowedKStream.aggregate` in Kafka Streams).
    /// Values come in the order in which they arrive. A window may begin with the aggregate of another one that holds
    /// the same records.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{SlidingWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let windows = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// let chat = builder.stream::<u64, String>("chat").group_by_key().windowed_by(windows);
    /// chat.aggregate("words", || 0, |_, text, words: &mut i64| *words += text.split(' ').count() as i64)
    ///     .to_stream()
    ///     .to("words");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(7, "good day".into(), 90_000), (7, "hi".into(), 120_000)])?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("words").read_values()?, [2, 1, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A: Data>(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        self.fold("sliding-aggregate", materialized, aggregate(initializer, aggregator))
    }

    pub(super) fn fold<A: Data, R: Folded + 'static>(
        self,
        label: &'static str,
        materialized: impl Into<Materialized<K, A>>,
        fold: impl Fn(&K, V, &mut Option<A>) -> R + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let rows = WindowRows::sliding(&self.stream.graph, self.windows, materialized.into());
        let (node_rows, fold) = (rows.clone(), Arc::new(fold));
        let (windows, emit) = (self.windows, self.emit);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = node_rows.sliding_aggregate(assembly, id, windows, emit)?;
            let late = assembly.next(id, LATE_PORT)?;
            assembly.input::<K, V>(id, Rc::new(RefCell::new(SlidingInput { core, fold: fold.clone(), late })));
            Ok(())
        });
        let node = self.attach(label, &rows.store, rows.stores(), build);
        let open_ms = windows.spans().retention_ms();
        self.stream.graph.borrow_mut().graph.note_idle(node, emit.idle_ms(), open_ms);
        rows.table(self.stream.graph.clone(), node)
    }
}
