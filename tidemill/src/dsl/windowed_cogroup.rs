//! Several streams in one aggregate for each window.

use std::sync::Arc;

use super::{CogroupedKStream, KTable, Materialized, cogroup::Aggregates, window_rows::WindowRows};
use crate::{
    graph::NodeKind,
    operators::BuildNode,
    record::Data,
    windows::{EmitStrategy, TimeWindows, Windowed},
};

/// Streams of different values that feed one aggregate for each window (`TimeWindowedCogroupedKStream` in Kafka
/// Streams).
///
/// Late records are counted as `late` by the input that they came from. See the example of [`CogroupedKStream`].
pub struct TimeWindowedCogroupedKStream<K, A, W = TimeWindows> {
    pub(super) cogrouped: CogroupedKStream<K, A>,
    pub(super) windows: W,
    pub(super) emit: EmitStrategy,
}

impl<K: Data, A: Data, W> TimeWindowedCogroupedKStream<K, A, W> {
    /// Selects when results are emitted. The default is every update. Kafka Streams has no emit strategy for cogrouped
    /// streams.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (views, orders) = (builder.stream::<u64, String>("views"), builder.stream::<u64, i64>("orders"));
    /// views
    ///     .group_by_key()
    ///     .cogroup(|_, _, (views, _): &mut (i64, i64)| *views += 1)
    ///     .cogroup(&orders.group_by_key(), |_, cents, (_, spent)| *spent += cents)
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)))
    ///     .emit(EmitStrategy::on_window_close())
    ///     .aggregate("visits", || (0, 0))
    ///     .to_stream()
    ///     .to("visits");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("views").pipe(1, "/tea".into(), 0)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 1), (1, 50, 60_000)])?;
    /// // One result for the first minute. The second minute is open.
    /// assert_eq!(driver.output::<Windowed<u64>, (i64, i64)>("visits").read_values()?, [(1, 250)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit(self, emit: EmitStrategy) -> Self {
        Self { emit, ..self }
    }
}

impl<K: Data, A: Data> TimeWindowedCogroupedKStream<K, A> {
    /// Folds the streams' values into an aggregate (`TimeWindowedCogroupedKStream.aggregate` in Kafka Streams). The
    /// aggregate starts as the result of `initializer`, whichever stream comes first. `materialized` names the store.
    /// See the example of [`CogroupedKStream`].
    pub fn aggregate(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let Self { cogrouped, windows, emit } = self;
        let graph = cogrouped.graph.clone();
        let rows = WindowRows::new(&graph, windows, materialized.into());
        let node_rows = rows.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = node_rows.aggregate(assembly, id, windows, emit)?;
            assembly.share(id, core);
            Ok(())
        });
        let kind = NodeKind::Operator("windowed-cogroup");
        let core = graph.borrow_mut().add(Some(&rows.store), kind, Vec::new(), rows.stores(), build);
        graph.borrow_mut().graph.note_idle(core, emit.idle_ms(), windows.retention_ms());
        cogrouped.add_inputs(&rows.store, Aggregates::TimeWindows, core, initializer);
        rows.table(graph, core)
    }
}
