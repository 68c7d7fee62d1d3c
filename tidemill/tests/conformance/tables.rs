//! Steps of tables of a described topology.

use tidemill::{BufferConfig, Data, KGroupedTable, KTable, Suppressed};

use crate::{
    build::{Made, Nodes, ms},
    case::{FoldKind, Kind, Node, Text},
    functions::{add, both, foreign, is, key, list, without},
    processors,
};

/// A value of a table.
trait Value: Data {
    fn text(self) -> Text;
    fn of(text: Text) -> Self;
}

impl Value for String {
    fn text(self) -> Text {
        Some(self)
    }

    fn of(text: Text) -> Self {
        text.unwrap_or_default()
    }
}

impl Value for Text {
    fn text(self) -> Text {
        self
    }

    fn of(text: Text) -> Self {
        text
    }
}

pub(crate) fn node(nodes: &Nodes<'_>, node: &Node) -> Made {
    let name = nodes.name();
    let kept = |table: KTable<Text, String>, stored: bool, versions: Option<i64>| {
        Made::Table(if stored { table.materialized(nodes.store(versions)) } else { table })
    };
    let stored = |table, stored| kept(table, stored, None);
    match node.clone() {
        Node::TableFilter { from, r#mod, is: rest, stored, versions } => match &nodes.made[from] {
            Made::Windows(table) => Made::Windows(filter(table, r#mod, rest)),
            _ => kept(filter(nodes.table(from), r#mod, rest), stored, versions),
        },
        Node::TableFilterNot { from, r#mod, is: rest, stored: keep } => match &nodes.made[from] {
            Made::Windows(table) => Made::Windows(table.filter_not(move |_, value| is(value, r#mod, rest))),
            _ => stored(nodes.table(from).filter_not(move |_, value| is(&Some(value.clone()), r#mod, rest)), keep),
        },
        Node::TransformValues { from, add, stored: keep } => {
            stored(processors::transform_values(nodes.table(from), &format!("p{}", nodes.made.len()), add), keep)
        }
        Node::TableMapValues { from, add: suffix, stored, versions } => match &nodes.made[from] {
            Made::Windows(table) => Made::Windows(map_values(table, suffix)),
            _ => kept(map_values(nodes.table(from), suffix), stored, versions),
        },
        Node::GroupTable { from, r#mod, kind, versions } => {
            let topic = format!("g{}", nodes.made.len());
            let grouped = match &nodes.made[from] {
                Made::Windows(table) => group(table, &topic, r#mod),
                _ => group(nodes.table(from), &topic, r#mod),
            };
            Made::Table(fold(nodes, &grouped, kind, versions))
        }
        Node::JoinTables { from, with, kind, stored, versions } => {
            kept(join(nodes.table(from), nodes.table(with), kind), stored, versions)
        }
        Node::ToTable { from, versions } => {
            Made::Table(nodes.stream(from).to_table_with_tombstones(nodes.store(versions)))
        }
        Node::Suppress { from, wait, keys } => {
            let buffer =
                keys.map_or(BufferConfig::unbounded(), |keys| BufferConfig::max_records(keys).emit_early_when_full());
            match (&nodes.made[from], wait) {
                (Made::Windows(table), None) => {
                    Made::Windows(table.suppress(name.as_str(), Suppressed::until_window_closes(buffer)))
                }
                (Made::Windows(table), Some(wait)) => {
                    Made::Windows(table.suppress(name.as_str(), Suppressed::until_time_limit(ms(wait), buffer)))
                }
                (_, wait) => {
                    let suppressed = Suppressed::until_time_limit(ms(wait.unwrap_or(0)), buffer);
                    Made::Table(nodes.table(from).suppress(name.as_str(), suppressed))
                }
            }
        }
        Node::JoinForeign { from, with, kind, stored: keep } => {
            let (left, right, join) = (nodes.table(from), nodes.table(with), format!("f{}", nodes.made.len()));
            let foreign = |_: &Text, value: &String| foreign(&Some(value.clone())).map(Some);
            let text = |left: String, right: Text| both(&Some(left), &right).unwrap_or_default();
            let joined = if kind == Kind::Inner {
                left.join_foreign_key(right, join.as_str(), foreign, move |_, left, right| text(left, Some(right)))
            } else {
                left.left_join_foreign_key(right, join.as_str(), foreign, move |_, left, right| text(left, right))
            };
            stored(joined, keep)
        }
        node => panic!("not a step of a table: {node:?}"),
    }
}

fn filter<K: Data, V: Value>(table: &KTable<K, V>, modulo: u64, rest: u64) -> KTable<K, V> {
    table.filter(move |_, value| is(&value.clone().text(), modulo, rest))
}

fn map_values<K: Data, V: Value>(table: &KTable<K, V>, suffix: String) -> KTable<K, V> {
    table.map_values(move |value| V::of(add(value.text(), &suffix)))
}

fn group<K: Data, V: Value>(table: &KTable<K, V>, topic: &str, modulo: u64) -> KGroupedTable<Text, String> {
    table.group_by(topic, move |_, value| {
        let value = value.text();
        (key(&value, modulo), value.unwrap_or_default())
    })
}

fn fold(
    nodes: &Nodes<'_>,
    grouped: &KGroupedTable<Text, String>,
    kind: FoldKind,
    versions: Option<i64>,
) -> KTable<Text, String> {
    match kind {
        FoldKind::Count => grouped.count(nodes.store(versions)).map_values(|count| count.to_string()),
        FoldKind::Reduce => {
            let add = |all, value| list(Some(all), "/", &Some(value), 0).unwrap_or_default();
            grouped
                .reduce(nodes.store(versions), add, |all, value| without(Some(all), &Some(value)).unwrap_or_default())
        }
        FoldKind::Aggregate => grouped.aggregate(
            nodes.store(versions),
            String::new,
            |_, value, all: &mut String| *all = list(Some(all.clone()), ",", &Some(value), 0).unwrap_or_default(),
            |_, value, all: &mut String| *all = without(Some(all.clone()), &Some(value)).unwrap_or_default(),
        ),
    }
}

fn join(left: &KTable<Text, String>, right: &KTable<Text, String>, kind: Kind) -> KTable<Text, String> {
    let text = |left: Text, right: Text| both(&left, &right).unwrap_or_default();
    match kind {
        Kind::Inner => left.join(right, move |_, left, right| text(Some(left), Some(right))),
        Kind::Left => left.left_join(right, move |_, left, right| text(Some(left), right)),
        Kind::Outer => left.outer_join(right, move |_, left, right| text(left, right)),
    }
}
