//! Builds a described topology: each node by its place in the list.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tidemill::{
    GlobalKTable, JoinWindows, Joined, KStream, KTable, Materialized, StreamsBuilder, Windowed, state::Coded,
};

use crate::{
    case::{Case, Kind, Node, Text},
    folds,
    functions::{add, both, copies, foreign, is, key},
    processors, stores, tables,
};

pub(crate) type Stream = KStream<Text, Text>;

pub(crate) enum Made {
    Stream(Stream),
    Branches(Vec<Stream>),
    Table(KTable<Text, String>),
    Windows(KTable<Windowed<Text>, Text>),
    Global(GlobalKTable<Text, String>),
}

/// The nodes so far.
pub(crate) struct Nodes<'a> {
    pub(crate) builder: &'a StreamsBuilder,
    pub(crate) made: Vec<Made>,
    /// Null values that operators of Kafka Streams drop, and whose types here have no nulls.
    pub(crate) dropped: Arc<AtomicU64>,
}

/// Builds all nodes, and writes those that are outputs.
pub(crate) fn build<'a>(builder: &'a StreamsBuilder, case: &Case) -> Nodes<'a> {
    let mut nodes = Nodes { builder, made: Vec::new(), dropped: Arc::default() };
    for node in &case.nodes {
        let made = nodes.node(node);
        nodes.made.push(made);
    }
    for place in &case.outputs {
        nodes.stream(*place).to(format!("out-{place}").as_str());
    }
    nodes
}

pub(crate) fn ms(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).expect("not negative"))
}

/// A windowed key as text.
#[expect(clippy::unnecessary_wraps, reason = "keys are texts that may be null")]
pub(crate) fn flat(Windowed { key, window }: &Windowed<Text>) -> Text {
    Some(format!("{} {} {}", key.as_deref().unwrap_or("null"), window.start, window.end))
}

impl Nodes<'_> {
    /// The name of the store of the node that is built now.
    pub(crate) fn name(&self) -> String {
        format!("s{}", self.made.len())
    }

    /// The store of the node that is built now.
    pub(crate) fn store<K: Coded, V: Coded>(&self, versions: Option<i64>) -> Materialized<K, V> {
        let store = Materialized::named(self.name());
        match versions {
            Some(history) => store.versioned(ms(history)),
            None => store,
        }
    }

    /// A node's records; those of a table are its changes.
    pub(crate) fn stream(&self, place: usize) -> Stream {
        match &self.made[place] {
            Made::Stream(stream) => stream.clone(),
            Made::Branches(_) | Made::Global(_) => panic!("it has no records of its own"),
            Made::Table(table) => table.to_stream(),
            Made::Windows(table) => table.to_stream().map(|key, value| (flat(&key), value.flatten())),
        }
    }

    /// A node's records without those that have no value. Kafka Streams' operator drops and counts them.
    pub(crate) fn present(&self, place: usize) -> KStream<Text, String> {
        let dropped = self.dropped.clone();
        let present = self.stream(place).filter(move |_, value| {
            dropped.fetch_add(u64::from(value.is_none()), Ordering::Relaxed);
            value.is_some()
        });
        present.map_values(Option::unwrap_or_default)
    }

    fn node(&self, node: &Node) -> Made {
        Made::Stream(match node.clone() {
            Node::Stream { topic } => self.builder.stream::<Text, Text>(topic.as_str()),
            Node::Table { topic } => return Made::Table(self.builder.table(topic.as_str(), self.name().as_str())),
            Node::VersionedTable { topic, history } => {
                return Made::Table(self.builder.table(topic.as_str(), self.store(Some(history))));
            }
            Node::GlobalTable { topic } => {
                return Made::Global(self.builder.global_table(topic.as_str(), self.name().as_str()));
            }
            Node::Filter { from, r#mod, is: rest } => self.stream(from).filter(move |_, value| is(value, r#mod, rest)),
            Node::FilterNot { from, r#mod, is: rest } => {
                self.stream(from).filter_not(move |_, value| is(value, r#mod, rest))
            }
            Node::MapValues { from, add: suffix } => self.stream(from).map_values(move |value| add(value, &suffix)),
            Node::NullValues { from, r#mod } => {
                self.stream(from).map_values(move |value| if is(&value, r#mod, 0) { None } else { value })
            }
            Node::Map { from, r#mod, add: suffix } => {
                self.stream(from).map(move |_, value| (key(&value, r#mod), add(value, &suffix)))
            }
            Node::FlatMapValues { from, r#mod } => {
                self.stream(from).flat_map_values(move |value| copies(&value, r#mod))
            }
            Node::FlatMap { from, r#mod } => self.stream(from).flat_map(move |_, value| {
                copies(&value, r#mod).into_iter().map(|copy| (key(&copy, 3), copy)).collect::<Vec<_>>()
            }),
            Node::SelectKey { from, r#mod } => self.stream(from).select_key(move |_, value| key(value, r#mod)),
            Node::NullKeys { from, r#mod } => {
                let key = move |key: &Text, value: &Text| if is(value, r#mod, 0) { None } else { key.clone() };
                self.stream(from).select_key(key)
            }
            Node::Merge { from, with } => self.stream(from).merge(&self.stream(with)),
            Node::Split { from, mods } => {
                let by = |modulo: u64| move |_: &Text, value: &Text| is(value, modulo, 0);
                let split = mods.iter().fold(self.stream(from).split(), |split, modulo| split.branch(by(*modulo)));
                return Made::Branches(split.default_branch());
            }
            Node::Branch { from, branch } => {
                let Made::Branches(branches) = &self.made[from] else { panic!("a branch of no split") };
                branches[branch].clone()
            }
            Node::Repartition { from, keyless } => {
                let keyed = self.stream(from).filter(move |key, _| keyless || key.is_some());
                keyed.repartition(format!("r{}", self.made.len()).as_str())
            }
            Node::JoinTable { from, with, kind, waits } => self.join_table(&self.present(from), with, kind, waits),
            Node::JoinStreams { from, with, kind, before, after, grace, .. } => {
                let windows = JoinWindows::of_time_difference_and_grace(ms(0), ms(grace));
                self.join_streams(from, with, kind, windows.before(ms(before)).after(ms(after)))
            }
            Node::JoinGlobal { from, with, kind } => self.join_global(&self.present(from), with, kind),
            Node::Process { from, every, stream_time } => processors::process(self, from, every, stream_time),
            Node::ProcessValues { from } => processors::process_values(self, from),
            Node::Headers { from, kind } => stores::headers(self, from, kind),
            Node::ProcessRows { from, kind } => stores::process_rows(self, from, kind),
            Node::ProcessWindows { from, retention, kind } => stores::process_windows(self, from, retention, kind),
            Node::ProcessVersions { from, history, ends } => stores::process_versions(self, from, history, ends),
            Node::Fold { .. }
            | Node::Windowed { .. }
            | Node::Sessions { .. }
            | Node::Sliding { .. }
            | Node::Cogroup { .. }
            | Node::SessionCogroup { .. }
            | Node::SlidingCogroup { .. } => {
                return folds::node(self, node);
            }
            node => return tables::node(self, &node),
        })
    }

    fn join_table(&self, stream: &KStream<Text, String>, table: usize, kind: Kind, waits: Option<i64>) -> Stream {
        let join = |_: &Text, left: String, right: Text| both(&Some(left), &right);
        let table = self.table(table);
        let inner = move |key: &Text, left, right| join(key, left, Some(right));
        let joined = waits.map(|wait| Joined::named(format!("w{}", self.made.len())).grace_period(ms(wait)));
        match (kind, joined) {
            (Kind::Inner, None) => stream.join(table, inner),
            (Kind::Inner, Some(joined)) => stream.join_with(table, joined, inner),
            (_, None) => stream.left_join(table, join),
            (_, Some(joined)) => stream.left_join_with(table, joined, join),
        }
    }

    fn join_global(&self, stream: &KStream<Text, String>, table: usize, kind: Kind) -> Stream {
        let Made::Global(table) = &self.made[table] else { panic!("not a global table") };
        let select = |_: &Text, value: &String| foreign(&Some(value.clone())).map(Some);
        let join = |_: &Text, left: String, right: Text| both(&Some(left), &right);
        match kind {
            Kind::Inner => stream.join_global(table, select, move |key, left, right| join(key, left, Some(right))),
            Kind::Left | Kind::Outer => stream.left_join_global(table, select, join),
        }
    }

    /// A table whose keys have no windows.
    pub(crate) fn table(&self, place: usize) -> &KTable<Text, String> {
        let Made::Table(table) = &self.made[place] else { panic!("not a table by key") };
        table
    }

    fn join_streams(&self, from: usize, with: usize, kind: Kind, windows: JoinWindows) -> Stream {
        let (left, right, name) = (self.stream(from), self.stream(with), format!("j{}", self.made.len()));
        let text = |side: Option<&Text>| side.cloned().flatten();
        match kind {
            Kind::Inner => left.join_stream(&right, windows, name.as_str(), |_, left, right| both(left, right)),
            Kind::Left => {
                left.left_join_stream(&right, windows, name.as_str(), move |_, left, right| both(left, &text(right)))
            }
            Kind::Outer => left.outer_join_stream(&right, windows, name.as_str(), move |_, left, right| {
                both(&text(left), &text(right))
            }),
        }
    }
}
