//! Several streams in one aggregate for each sliding window.

use std::sync::Arc;

use super::{KTable, Materialized, TimeWindowedCogroupedKStream, cogroup::Aggregates, window_rows::WindowRows};
use crate::{
    graph::NodeKind,
    operators::BuildNode,
    record::Data,
    windows::{SlidingWindows, Windowed},
};

impl<K: Data, A: Data> TimeWindowedCogroupedKStream<K, A, SlidingWindows> {
    /// Folds the streams' values into an aggregate for each sliding window (`TimeWindowedCogroupedKStream.aggregate` in
    /// Kafka Streams). A new window starts with the result of `initializer`, or with the aggregate of another window
    /// that holds the same records. All streams share one stream time. `materialized` names the store.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, SlidingWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let logins = builder.stream::<u64, String>("logins").group_by_key();
    /// let transfers = builder.stream::<u64, i64>("transfers").group_by_key();
    /// logins
    ///     .cogroup(|_, _city, (logins, _sent): &mut (i64, i64)| *logins += 1)
    ///     .cogroup(&transfers, |_, cents, (_logins, sent)| *sent += cents)
    ///     .windowed_by(SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60)))
    ///     .emit(EmitStrategy::on_window_close())
    ///     .aggregate("within-a-minute", || (0, 0))
    ///     .to_stream()
    ///     .to("within-a-minute");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("logins").pipe(1, "Oslo".into(), 100_000)?;
    /// driver.input::<u64, i64>("transfers").pipe_all([(1, 900, 130_000), (1, 50, 300_000)])?;
    /// let found = driver.output::<Windowed<u64>, (i64, i64)>("within-a-minute").read_values()?;
    /// // The login alone, both, and the transfer behind the login.
    /// assert_eq!(found, [(1, 0), (1, 900), (0, 900)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let Self { cogrouped, windows, emit } = self;
        let graph = cogrouped.graph.clone();
        let rows = WindowRows::sliding(&graph, windows, materialized.into());
        let node_rows = rows.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = node_rows.sliding_aggregate(assembly, id, windows, emit)?;
            assembly.share(id, core);
            Ok(())
        });
        let kind = NodeKind::Operator("sliding-cogroup");
        let core = graph.borrow_mut().add(Some(&rows.store), kind, Vec::new(), rows.stores(), build);
        graph.borrow_mut().graph.note_idle(core, emit.idle_ms(), windows.spans().retention_ms());
        cogrouped.add_inputs(&rows.store, Aggregates::SlidingWindows, core, initializer);
        rows.table(graph, core)
    }
}
