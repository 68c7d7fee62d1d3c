//! Several streams in one aggregate for each session.

use std::sync::Arc;

use super::{
    CogroupedKStream, KTable, Materialized,
    cogroup::Aggregates,
    session_rows::{SessionRows, note_idle},
};
use crate::{
    graph::NodeKind,
    operators::{BuildNode, Failure, Merger, SessionInitializer},
    record::Data,
    windows::{EmitStrategy, SessionWindows, Windowed},
};

/// Streams of different values that feed one aggregate for each session (`SessionWindowedCogroupedKStream` in Kafka
/// Streams). [`CogroupedKStream::windowed_by`] returns it.
///
/// The records of all streams make the sessions together. Late records are counted as `late` by the input that they
/// came from.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{EmitStrategy, SessionWindows, Windowed};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let (views, orders) = (builder.stream::<u64, String>("views"), builder.stream::<u64, i64>("orders"));
/// views
///     .group_by_key()
///     .cogroup(|_, _, (views, _): &mut (i64, i64)| *views += 1)
///     .cogroup(&orders.group_by_key(), |_, cents, (_, spent)| *spent += cents)
///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(60)))
///     .emit(EmitStrategy::on_window_close())
///     .aggregate("visits", || (0, 0), |_, one, other| (one.0 + other.0, one.1 + other.1))
///     .to_stream()
///     .to("visits");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("views").pipe_all([(1, "/tea".into(), 0), (1, "/jam".into(), 50_000)])?;
/// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 100_000), (2, 50, 200_000)])?;
/// assert_eq!(driver.output::<Windowed<u64>, (i64, i64)>("visits").read_values()?, [(2, 250)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SessionWindowedCogroupedKStream<K, A> {
    cogrouped: CogroupedKStream<K, A>,
    windows: SessionWindows,
    emit: EmitStrategy,
}

impl<K: Data, A: Data> SessionWindowedCogroupedKStream<K, A> {
    pub(super) fn new(cogrouped: CogroupedKStream<K, A>, windows: SessionWindows) -> Self {
        Self { cogrouped, windows, emit: EmitStrategy::default() }
    }

    /// Selects when results are emitted. The default is every update. Kafka Streams has no emit strategy for cogrouped
    /// streams. See the example of [`SessionWindowedCogroupedKStream`].
    pub fn emit(self, emit: EmitStrategy) -> Self {
        Self { emit, ..self }
    }

    /// Folds the streams' values into an aggregate for each session (`SessionWindowedCogroupedKStream.aggregate` in Kafka
    /// Streams). `initializer` and `merger` are those of
    /// [`SessionWindowedKStream::aggregate`](super::SessionWindowedKStream::aggregate). See the example of
    /// [`SessionWindowedCogroupedKStream`].
    pub fn aggregate(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> A + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        self.fold(materialized.into(), initializer, move |key, one, other| Ok(merger(key, one, other)))
    }

    pub(super) fn fold(
        self,
        materialized: Materialized<K, A>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> Result<A, Box<Failure>> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let Self { cogrouped, windows, emit } = self;
        let graph = cogrouped.graph.clone();
        let rows = SessionRows::new(&graph, windows, materialized);
        let (node_rows, initializer) = (rows.clone(), Arc::new(initializer));
        let of_inputs = initializer.clone();
        let first: SessionInitializer<A> = Arc::new(move || Some(initializer()));
        let merger: Merger<K, A> = Arc::new(merger);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = node_rows.aggregate(assembly, id, (windows, emit), (first.clone(), merger.clone()))?;
            assembly.share(id, core);
            Ok(())
        });
        let kind = NodeKind::Operator("session-cogroup");
        let core = graph.borrow_mut().add(Some(&rows.store), kind, Vec::new(), rows.stores(), build);
        note_idle(&graph, core, windows, emit);
        cogrouped.add_inputs(&rows.store, Aggregates::Sessions, core, move || of_inputs());
        rows.table(graph, core, windows)
    }
}
