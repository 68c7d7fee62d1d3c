//! Stores as values, before a topology has them.

use std::time::Duration;

use super::{
    Materialized,
    builder::{problem_with_options, spec_of},
};
use crate::{
    clock::millis,
    graph::{Graph, Lifetime, RowKeys, StoreKind, StoreSpec},
};

/// A store to be added to a topology (`StoreBuilder` in Kafka Streams, which `Stores` makes). The functions name the
/// kind of store; [`Materialized`] tells the codecs, where the store is kept, and whether it has a changelog.
///
/// | Kafka Streams | here |
/// |---|---|
/// | `Stores.timestampedKeyValueStoreBuilder` | [`StoreBuilder::key_value`] |
/// | `Stores.timestampedWindowStoreBuilder` | [`StoreBuilder::window`] |
/// | `Stores.versionedKeyValueStoreBuilder` | [`StoreBuilder::versioned`] |
/// | `Stores.timestampedKeyValueStoreWithHeadersBuilder` | [`StoreBuilder::key_value`] with values of [`ValueHeaders`](crate::ValueHeaders) |
/// | `Stores.inMemoryKeyValueStore`, `inMemoryWindowStore` | [`Materialized::in_memory`] |
/// | `StoreBuilder.withLoggingDisabled` | [`Materialized::without_logging`] |
///
/// ```
/// # use tidemill::{Materialized, StoreBuilder, StreamsBuilder};
/// # use tidemill::processor::{Processor, ProcessorContext, Record};
/// # use tidemill::state::BoxError;
/// # let builder = StreamsBuilder::new();
/// # struct Nothing;
/// # impl Processor<u64, i64, u64, i64> for Nothing {
/// #     fn process(&mut self, _: &mut ProcessorContext<'_, u64, i64>, _: Record<u64, i64>) -> Result<(), BoxError> {
/// #         Ok(())
/// #     }
/// # }
/// builder.add_state_store(StoreBuilder::key_value::<u64, i64>(Materialized::named("totals").in_memory()));
/// builder.stream::<u64, i64>("orders").process("sum", &["totals"], || Nothing);
/// assert!(builder.build()?.stores().all(|store| !store.persistent && store.logged));
/// # Ok::<(), tidemill::TopologyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct StoreBuilder {
    pub(super) spec: StoreSpec,
    rows: RowKeys,
    lifetime: Lifetime,
    problem: Option<String>,
}

impl StoreBuilder {
    /// A key-value store (`Stores.timestampedKeyValueStoreBuilder` in Kafka Streams). See the example of
    /// [`StoreBuilder`].
    pub fn key_value<K: 'static, V: 'static>(materialized: impl Into<Materialized<K, V>>) -> Self {
        Self::of(&materialized.into(), StoreKind::KeyValue)
    }

    /// A window store (`Stores.timestampedWindowStoreBuilder` in Kafka Streams). `retention` is how long windows are
    /// kept, in stream time, counted from a window's start.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::StoreBuilder;
    /// let hours = StoreBuilder::window::<u64, f64>("hours", Duration::from_hours(24));
    /// assert_eq!(hours.name(), "hours");
    /// ```
    pub fn window<K: 'static, V: 'static>(materialized: impl Into<Materialized<K, V>>, retention: Duration) -> Self {
        Self::of(&materialized.into(), StoreKind::Window { retention_ms: millis(retention), by_key: false })
    }

    /// A versioned store (`Stores.versionedKeyValueStoreBuilder` in Kafka Streams, KIP-889). `history_retention` is how
    /// long versions are kept after they ended, in stream time. It is also the grace: older versions are left out.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Materialized, StoreBuilder};
    /// let prices = Materialized::<String, i64>::named("prices").in_memory();
    /// assert_eq!(StoreBuilder::versioned(prices, Duration::from_hours(24)).name(), "prices");
    /// ```
    pub fn versioned<K: 'static, V: 'static>(
        materialized: impl Into<Materialized<K, V>>,
        history_retention: Duration,
    ) -> Self {
        let kind = StoreKind::Versioned { history_retention_ms: millis(history_retention) };
        Self::of(&materialized.into(), kind)
    }

    /// The name of the store. See the example of [`StoreBuilder::window`].
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    fn of<K: 'static, V: 'static>(materialized: &Materialized<K, V>, kind: StoreKind) -> Self {
        let (spec, rows) = spec_of(materialized, kind);
        let problem = problem_with_options(materialized, kind);
        Self { spec, rows, lifetime: materialized.lifetime(), problem }
    }

    /// Adds the store, unless an equal one was added before.
    pub(super) fn share(self, graph: &mut Graph) {
        graph.problems.extend(self.problem);
        graph.share_store(self.spec, self.rows, self.lifetime);
    }
}
