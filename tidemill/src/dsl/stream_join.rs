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
    operators::{Assembly, BuildNode, JoinBase, JoinLeft, JoinRight, JoinSide, JoinTime, Joiner, StreamJoin},
    record::Data,
    windows::{JoinKind, JoinWindows},
};

/// Orders records without a partner whose windows end together, as Kafka Streams does.
const RIGHT_TAG: u8 = 0;
const LEFT_TAG: u8 = 1;

impl<K: Data, L: Data> KStream<K, L> {
    /// Joins records of both streams that have one key and are close enough in event time: each pair once.
    ///
    /// A result has the later timestamp of its pair, and the headers of the record that came last. Records without key
    /// or value are dropped and counted, and so are those that come when their join window has closed. Where Kafka
    /// Streams joins a late record with whatever is still stored (KAFKA-16123), no result depends here on how long rows
    /// happen to be kept.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tidemill::{JoinWindows, StreamsBuilder};
    ///
    /// let builder = StreamsBuilder::new();
    /// let views = builder.stream::<String, String>("ad-views");
    /// let clicks = builder.stream::<String, String>("ad-clicks");
    /// let windows = JoinWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(2));
    /// views
    ///     .join_stream(&clicks, windows, "views-clicks", |_, view, click| format!("{view}: {click}"))
    ///     .to("clicked");
    /// let topology = builder.build()?;
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn join_stream<R: Data, V: Data>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, &L, &R) -> V + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_with(other, windows, joined.into(), JoinKind::Inner, move |key, left, right| {
            Some(join(key, left?, right?))
        })
    }

    /// The same; a record of this stream that no partner came for comes out alone when its join window closes, in the
    /// order of windows, with its own timestamp and without headers.
    ///
    /// Time passes with any further record of either stream, or by [`JoinWindows::idle_after`]. A record comes out
    /// alone or with partners, never both (Kafka Streams does both for one that comes out of order: KAFKA-19536). One
    /// without key comes out alone at once (KIP-962). At least once, a record that is processed again after a crash may
    /// come out alone, too, if its partner's window has closed since.
    pub fn left_join_stream<R: Data, V: Data>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, &L, Option<&R>) -> V + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_with(other, windows, joined.into(), JoinKind::Left, move |key, left, right| {
            Some(join(key, left?, right))
        })
    }

    /// The same for both sides: whatever no partner came for comes out alone. At least one of the values is there.
    pub fn outer_join_stream<R: Data, V: Data>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, Option<&L>, Option<&R>) -> V + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_with(other, windows, joined.into(), JoinKind::Outer, move |key, left, right| {
            Some(join(key, left, right))
        })
    }

    fn join_with<R: Data, V: Data>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: StreamJoined<K, L, R>,
        kind: JoinKind,
        join: impl Fn(&K, Option<&L>, Option<&R>) -> Option<V> + Send + Sync + 'static,
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
            // It holds values of both sides.
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

/// Says what the rows of one of a join's stores depend on.
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

/// One side as it is declared.
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
