//! Stores as values, before a topology has them.

use std::time::Duration;

use super::{
    Materialized,
    builder::{problem_with_options, spec_of},
};
use crate::{
    clock::millis,
    graph::{Graph, Lifetime, RowKeys, StoreKind, StoreSpec, StoreTypes},
};

/// A store to be added to a topology (`StoreBuilder` in Kafka Streams, which `Stores` makes). The functions name the
/// kind of store; [`Materialized`] tells the codecs, where the store is kept, and whether it has a changelog.
///
/// | Kafka Streams | here |
/// |---|---|
/// | `Stores.timestampedKeyValueStoreBuilder` | [`StoreBuilder::key_value`] |
/// | `Stores.timestampedWindowStoreBuilder` | [`StoreBuilder::window`] |
/// | `Stores.sessionStoreBuilder` | [`StoreBuilder::session`] |
/// | `Stores.versionedKeyValueStoreBuilder` | [`StoreBuilder::versioned`] |
/// | `Stores.timestampedKeyValueStoreWithHeadersBuilder` | [`StoreBuilder::key_value`] with values of [`ValueHeaders`](crate::ValueHeaders) |
/// | `Stores.timestampedWindowStoreWithHeadersBuilder` | [`StoreBuilder::window`], likewise |
/// | `Stores.sessionStoreWithHeadersBuilder` | [`StoreBuilder::session`], likewise |
/// | `Stores.inMemoryKeyValueStore`, `inMemoryWindowStore`, `inMemorySessionStore` | [`Materialized::in_memory`] |
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
    types: StoreTypes,
    problem: Option<String>,
}

impl StoreBuilder {
    /// A key-value store (`Stores.timestampedKeyValueStoreBuilder` in Kafka Streams). See the example of
    /// [`StoreBuilder`].
    pub fn key_value<K: 'static, V: 'static>(materialized: impl Into<Materialized<K, V>>) -> Self {
        Self::of(&materialized.into(), StoreKind::KeyValue)
    }

    /// A window store (`Stores.timestampedWindowStoreBuilder` in Kafka Streams). `retention` is how long windows are
    /// kept, in stream time, counted from a window's start: a window is dropped when the task's stream time is
    /// `retention` behind its start, and what is put later than that is left out.
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

    /// A session store (`Stores.sessionStoreBuilder` in Kafka Streams). `retention` is how long sessions are kept, in
    /// stream time, counted from a session's end: a session is dropped when the task's stream time is `retention` behind
    /// its end, and one that is put later than that is left out.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::processor::{Processor, ProcessorContext, Record};
    /// # use tidemill::{StoreBuilder, TopologyBuilder, state::{BoxError, Session}, testing::TopologyTestDriver};
    /// /// Makes one visit of page views that are less than a minute apart.
    /// struct Visits;
    ///
    /// impl Processor<String, String, (), ()> for Visits {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, (), ()>,
    ///         view: Record<String, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let visits = ctx.session_store::<String, i64>("visits")?;
    ///         let (mut visit, mut pages) = (Session { start: view.timestamp, end: view.timestamp }, 1);
    ///         for near in visits.find_sessions(&view.key, view.timestamp - 59_999, view.timestamp + 59_999) {
    ///             let (Session { start, end }, seen) = near?;
    ///             visits.remove(&view.key, start, end)?;
    ///             visit = Session { start: start.min(visit.start), end: end.max(visit.end) };
    ///             pages += seen;
    ///         }
    ///         Ok(visits.put(&view.key, visit.start, visit.end, &pages)?)
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new();
    /// let views = builder.add_source::<String, String>("views", "page-views");
    /// builder.add_processor("visit", || Visits, &[&views]);
    /// let store = StoreBuilder::session::<String, i64>("visits", Duration::from_hours(1));
    /// builder.add_state_store(store, &["visit"]);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = driver.input::<String, String>("page-views");
    /// views.pipe_all([("ann".into(), "/".into(), 0), ("ann".into(), "/tea".into(), 30_000)])?;
    /// let visits = driver.session_store::<String, i64>("visits", 0)?.expect("it runs");
    /// assert_eq!(visits.fetch(&"ann".into()).read_all()?, [(Session { start: 0, end: 30_000 }, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn session<K: 'static, V: 'static>(materialized: impl Into<Materialized<K, V>>, retention: Duration) -> Self {
        Self::of(&materialized.into(), StoreKind::Session { retention_ms: millis(retention) })
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
        Self { spec, rows, lifetime: materialized.lifetime(), types: materialized.types(kind), problem }
    }

    /// Adds the store, unless an equal one was added before.
    pub(super) fn share(self, graph: &mut Graph) {
        graph.problems.extend(self.problem);
        graph.store_types.insert(self.spec.name.clone(), self.types);
        graph.share_store(self.spec, self.rows, self.lifetime);
    }
}
