//! Joins of two streams within a time difference.

use std::{borrow::Cow, cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::Codec;

use super::{
    KStream, Materialized, StreamJoined,
    builder::{SharedGraph, add_operator, add_store, meets},
    cogroup::join_inputs,
    window_rows::add_times,
};
use crate::{
    error::TaskError,
    graph::{MAIN_PORT, NodeId, RowKeys, StoreKind, StoreName},
    operators::{
        Assembly, BuildNode, JoinBase, JoinLeft, JoinRight, JoinSide, JoinTime, Joiner, PairValue, StreamJoin,
    },
    record::Data,
    windows::{JoinKind, JoinWindows},
};

/// The tags order unmatched records whose windows end together, as Kafka Streams does.
const RIGHT_TAG: u8 = 0;
const LEFT_TAG: u8 = 1;

impl<K: Data, L: Data> KStream<K, L> {
    /// Joins records of both streams that have the same key and are close in event time (`KStream.join` with a
    /// `KStream` in Kafka Streams). Each pair is joined once, when its second record comes.
    ///
    /// A result has the later timestamp of its pair, and the headers of the record that came last. Records without a
    /// key or value are dropped and counted. Records that come after their join window closed are also dropped and
    /// counted. Kafka Streams joins a late record with the rows that are still stored (KAFKA-16123); here no result
    /// depends on how long rows are kept.
    ///
    /// Both streams must be partitioned by the same key, with the same number of partitions. The build or the start
    /// returns an error otherwise.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (views, clicks) = (builder.stream::<u64, String>("ad-views"), builder.stream::<u64, String>("ad-clicks"));
    /// let windows = JoinWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(2));
    /// views.join_stream(&clicks, windows, "views-clicks", |_, view, click| format!("{view}: {click}")).to("clicked");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("ad-views").pipe_all([(1, "tea".into(), 0), (1, "jam".into(), 9_000)])?;
    /// // The click is within 10 s of both views, also of the earlier one. The second click is too far from "tea".
    /// driver.input::<u64, String>("ad-clicks").pipe_all([(1, "a".into(), 10_000), (1, "b".into(), 11_000)])?;
    /// let clicked = driver.output::<u64, String>("clicked").read()?;
    /// let at = |text: &str, time| (1, text.to_owned(), time);
    /// assert_eq!(clicked, [at("tea: a", 10_000), at("jam: a", 10_000), at("jam: b", 11_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_stream<R: Data, V: Data>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, &L, &R) -> V + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_streams(other, windows, joined.into(), JoinKind::Inner, move |key, left, right| {
            Ok(left.zip(right).map(|(left, right)| join(key, left, right)))
        })
    }

    /// As [`join_stream`](Self::join_stream), and also emits the unmatched records of this stream (`KStream.leftJoin`
    /// with a `KStream` in Kafka Streams, KIP-633). An unmatched record is emitted when its join window closes, in the
    /// order of windows, with its own timestamp and without headers.
    ///
    /// Time advances with each further record of either stream, or by [`JoinWindows::idle_after`]. A record is emitted
    /// either unmatched or with partners, never both (Kafka Streams does both for some out-of-order records:
    /// KAFKA-19536). A record without a key is emitted unmatched at once (KIP-962). With at-least-once processing, a
    /// record that is processed again after a crash may also be emitted unmatched, if its partner's window has closed
    /// since.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (orders, paid) = (builder.stream::<u64, String>("orders"), builder.stream::<u64, i64>("payments"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// let paid_or_not = |cents: Option<&i64>| if cents.is_some() { "paid" } else { "unpaid" };
    /// let status = move |_: &u64, item: &String, cents: Option<&i64>| format!("{item}: {}", paid_or_not(cents));
    /// orders.left_join_stream(&paid, windows, "order-payment", status).to("statuses");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let (orders, paid) = (driver.input::<u64, String>("orders"), driver.input::<u64, i64>("payments"));
    /// orders.pipe_all([(1, "tea".into(), 0), (2, "jam".into(), 1_000)])?;
    /// paid.pipe(2, 250, 2_000)?;
    /// let statuses = driver.output::<u64, String>("statuses");
    /// assert_eq!(statuses.read_values()?, ["jam: paid"]);
    /// orders.pipe(3, "rice".into(), 10_001)?; // Stream time has passed the window of the first order.
    /// assert_eq!(statuses.read()?, [(1, "tea: unpaid".to_owned(), 0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_stream<R: Data, V: Data>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, &L, Option<&R>) -> V + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_streams(other, windows, joined.into(), JoinKind::Left, move |key, left, right| {
            Ok(left.map(|left| join(key, left, right)))
        })
    }

    /// As [`left_join_stream`](Self::left_join_stream), but emits unmatched records of both sides (`KStream.outerJoin`
    /// in Kafka Streams). At least one of the two values is present.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (left, right) = (builder.stream::<u64, i64>("booked"), builder.stream::<u64, i64>("received"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// let difference = |_: &u64, left: Option<&i64>, right: Option<&i64>| right.unwrap_or(&0) - left.unwrap_or(&0);
    /// left.outer_join_stream(&right, windows, "audit", difference).to("differences");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let (booked, received) = (driver.input::<u64, i64>("booked"), driver.input::<u64, i64>("received"));
    /// booked.pipe_all([(1, 250, 0), (2, 90, 1)])?;
    /// received.pipe_all([(1, 240, 2), (3, 70, 3), (9, 0, 20_000)])?;
    /// // Order 1 is matched. Orders 2 and 3 are alone, and come out when their windows close.
    /// assert_eq!(driver.output::<u64, i64>("differences").read_values()?, [-10, -90, 70]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_stream<R: Data, V: Data>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, Option<&L>, Option<&R>) -> V + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_streams(other, windows, joined.into(), JoinKind::Outer, move |key, left, right| {
            Ok(Some(join(key, left, right)))
        })
    }

    pub(super) fn join_streams<R: Data, V: Data>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: StreamJoined<K, L, R>,
        kind: JoinKind,
        join: impl Fn(&K, Option<&L>, Option<&R>) -> PairValue<V> + Send + Sync + 'static,
    ) -> KStream<K, V> {
        if !meets(&self.graph, &other.graph, "join of two streams") {
            return self.then(self.node, false);
        }
        let graph = &self.graph;
        let join: Joiner<K, L, R, V> = Arc::new(join);
        let JoinWindows { before_ms, after_ms, grace_ms, .. } = windows;
        let kept_ms = windows.bucket_ms() + grace_ms;
        let left = window_store(graph, &joined.store("left"), windows, kept_ms + after_ms);
        let left = Side::new(left, joined.left.clone(), after_ms, LEFT_TAG, kind);
        let right = window_store(graph, &joined.store("right"), windows, kept_ms + before_ms);
        let right = Side::new(right, joined.right.clone(), before_ms, RIGHT_TAG, kind);
        let unmatched =
            (kind != JoinKind::Inner).then(|| window_store(graph, &joined.store("unmatched"), windows, grace_ms + 1));
        let times = add_times(graph, windows.by_key, joined.key.clone(), &joined.store("left"), &joined.name);

        for (store, value) in [(&left.store, left.value.name()), (&right.store, right.value.name())] {
            describe(graph, store, windows, joined.key.name(), value);
            graph.borrow_mut().graph.set_row_keys(store, RowKeys::of(joined.key.clone()));
        }
        if let Some(store) = &unmatched {
            // This store holds values of both sides.
            let both =
                left.value.name().zip(right.value.name()).map(|(left, right)| format!("{left} | {right}").into());
            describe(graph, store, windows, joined.key.name(), both);
            let rows = RowKeys::of(joined.key.clone()).behind(&[&[RIGHT_TAG], &[LEFT_TAG]]);
            graph.borrow_mut().graph.set_row_keys(store, rows);
        }

        let (left_name, right_name) = (left.store.clone(), right.store.clone());
        let mut stores = vec![left_name.clone(), right_name.clone()];
        stores.extend(unmatched.clone());
        stores.extend(times.clone());
        let key = joined.key.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let next = assembly.next(id, MAIN_PORT)?;
            let (left, right) = (left.open(assembly), right.open(assembly));
            let unmatched = unmatched.as_ref().map(|name| assembly.window_store(name));
            let times = times.as_ref().map(|name| (assembly.key_value_store(name), assembly.is_shared(name)));
            let time = JoinTime::open(windows, &left, &right, unmatched.as_ref(), times)
                .map_err(|source| TaskError::of_store(assembly.task, source))?;
            let base = JoinBase::new(time, windows, key.clone(), unmatched, next);
            let core = Rc::new(RefCell::new(StreamJoin { base, left, right, join: join.clone() }));
            assembly.lifecycle(id, core.clone());
            assembly.share(id, core);
            Ok(())
        });
        let core = add_operator(graph, Some(&joined.name), label(kind), &[], stores, build);
        graph.borrow_mut().graph.note_idle(core, windows.idle_ms, kept_ms);

        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = assembly.shared::<StreamJoin<K, L, R, V>>(core)?;
            assembly.input::<K, L>(id, Rc::new(RefCell::new(JoinLeft(core))));
            Ok(())
        });
        let left_input = self.join_input("join-left", &left_name, build);

        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = assembly.shared::<StreamJoin<K, L, R, V>>(core)?;
            assembly.input::<K, R>(id, Rc::new(RefCell::new(JoinRight(core))));
            Ok(())
        });
        let right_input = other.join_input("join-right", &right_name, build);

        join_inputs(graph, core, &[left_input, right_input]);
        KStream::new(graph.clone(), core)
    }

    fn join_input(&self, label: &'static str, store: &StoreName, build: BuildNode) -> NodeId {
        let node = add_operator(&self.graph, Some(store), label, &[self.node], vec![store.clone()], build);
        self.require_partitioned_by_key(node);
        node
    }
}

/// Describes what the rows of one of the join's stores depend on.
fn describe(
    graph: &SharedGraph,
    store: &StoreName,
    JoinWindows { before_ms, after_ms, by_key, .. }: JoinWindows,
    key: Option<Cow<'static, str>>,
    value: Option<Cow<'static, str>>,
) {
    graph.borrow_mut().graph.describe_store(store, |format| {
        format.set("join-before-ms", before_ms);
        format.set("join-after-ms", after_ms);
        format.set_event_time(by_key);
        format.set_codec("key", key);
        format.set_codec("value", value);
    });
}

const fn label(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "stream-join",
        JoinKind::Left => "stream-left-join",
        JoinKind::Outer => "stream-outer-join",
    }
}

/// One side of the join as declared.
struct Side<V> {
    store: StoreName,
    value: Arc<dyn Codec<V>>,
    reach_ms: i64,
    outer: bool,
    tag: u8,
}

impl<V: Data> Side<V> {
    fn new(store: StoreName, value: Arc<dyn Codec<V>>, reach_ms: i64, tag: u8, kind: JoinKind) -> Self {
        let outer = kind.emits(tag == LEFT_TAG, tag == RIGHT_TAG);
        Self { store, value, reach_ms, outer, tag }
    }

    fn open(&self, assembly: &Assembly<'_>) -> JoinSide<V> {
        let (store, value) = (assembly.window_store(&self.store), self.value.clone());
        JoinSide { store, value, reach_ms: self.reach_ms, outer: self.outer, tag: self.tag }
    }
}

fn window_store(
    graph: &SharedGraph,
    store: &Materialized<Bytes, Bytes>,
    JoinWindows { by_key, .. }: JoinWindows,
    retention_ms: i64,
) -> StoreName {
    add_store(graph, store, StoreKind::Window { retention_ms, by_key })
}
