//! Aggregates of a described topology.

use std::mem;

use tidemill::{EmitStrategy, SessionWindows, SlidingWindows, TimeWindows};

use crate::{
    build::{Made, Nodes, ms},
    case::{FoldKind, Node, Text, Window},
    functions::{list, reduce},
};

pub(crate) fn node(nodes: &Nodes<'_>, node: &Node) -> Made {
    let name = nodes.name();
    match *node {
        Node::Fold { from, kind, versions, .. } => {
            let grouped = nodes.present(from).group_by_key();
            Made::Table(match kind {
                FoldKind::Count => grouped.count(nodes.store(versions)).map_values(|count| count.to_string()),
                FoldKind::Reduce => grouped
                    .reduce(nodes.store(versions), |old, value| reduce(Some(old), Some(value)).unwrap_or_default()),
                FoldKind::Aggregate => grouped.aggregate(nodes.store(versions), String::new, add_present(",")),
            })
        }
        Node::Windowed { from, window, kind, close, delete, .. } => {
            let emit = if close { EmitStrategy::on_window_close() } else { EmitStrategy::on_window_update() };
            let windows = nodes.stream(from).group_by_key().windowed_by(windows(window)).emit(emit);
            match kind {
                FoldKind::Count => {
                    Made::Windows(windows.count(name.as_str()).map_values(|count| Some(count.to_string())))
                }
                FoldKind::Reduce => Made::Windows(windows.reduce(name.as_str(), reduce)),
                FoldKind::Aggregate => Made::Windows(windows.aggregate(
                    name.as_str(),
                    || Some(String::new()),
                    move |_, value, all: &mut Text| *all = list(all.take(), ",", &value, delete),
                )),
            }
        }
        Node::Sessions { from, gap, grace, kind, close, .. } => {
            let emit = if close { EmitStrategy::on_window_close() } else { EmitStrategy::on_window_update() };
            let windows = SessionWindows::of_inactivity_gap_and_grace(ms(gap), ms(grace));
            let windows = nodes.stream(from).group_by_key().windowed_by(windows).emit(emit);
            Made::Windows(match kind {
                FoldKind::Count => windows.count(name.as_str()).map_values(|count| Some(count.to_string())),
                FoldKind::Reduce => windows.reduce(name.as_str(), reduce),
                FoldKind::Aggregate => windows.aggregate(
                    name.as_str(),
                    || Some(String::new()),
                    add(","),
                    |_, one, other| list(one, "|", &other, 0),
                ),
            })
        }
        Node::Sliding { from, difference, grace, kind, close, .. } => {
            let emit = if close { EmitStrategy::on_window_close() } else { EmitStrategy::on_window_update() };
            let windows = SlidingWindows::of_time_difference_and_grace(ms(difference), ms(grace));
            let windows = nodes.present(from).group_by_key().windowed_by(windows).emit(emit);
            let name = name.as_str();
            Made::Windows(match kind {
                FoldKind::Count => windows.count(name).map_values(|count| Some(count.to_string())),
                FoldKind::Reduce => windows
                    .reduce(name, |old, value| reduce(Some(old), Some(value)).unwrap_or_default())
                    .map_values(Some),
                FoldKind::Aggregate => windows.aggregate(name, String::new, add_present(",")).map_values(Some),
            })
        }
        Node::Cogroup { from, with, window: Some(window) } => {
            let (left, right) = (nodes.stream(from).group_by_key(), nodes.stream(with).group_by_key());
            let both = left.cogroup(add(",")).cogroup(&right, add(";"));
            Made::Windows(both.windowed_by(windows(window)).aggregate(name.as_str(), || Some(String::new())))
        }
        Node::Cogroup { from, with, window: None } => {
            let (left, right) = (nodes.present(from).group_by_key(), nodes.present(with).group_by_key());
            let both = left.cogroup(add_present(",")).cogroup(&right, add_present(";"));
            Made::Table(both.aggregate(name.as_str(), String::new))
        }
        Node::SessionCogroup { from, with, gap, grace } => {
            let (left, right) = (nodes.stream(from).group_by_key(), nodes.stream(with).group_by_key());
            let windows = SessionWindows::of_inactivity_gap_and_grace(ms(gap), ms(grace));
            let both = left.cogroup(add(",")).cogroup(&right, add(";")).windowed_by(windows);
            let merge = |_: &Text, one: Text, other: Text| list(one, "|", &other, 0);
            Made::Windows(both.aggregate(name.as_str(), || Some(String::new()), merge))
        }
        Node::SlidingCogroup { from, with, difference, grace } => {
            let (left, right) = (nodes.present(from).group_by_key(), nodes.present(with).group_by_key());
            let windows = SlidingWindows::of_time_difference_and_grace(ms(difference), ms(grace));
            let both = left.cogroup(add_present(",")).cogroup(&right, add_present(";")).windowed_by(windows);
            Made::Windows(both.aggregate(name.as_str(), String::new).map_values(Some))
        }
        _ => panic!("not an aggregate: {node:?}"),
    }
}

/// Adds a value to a list.
fn add(mark: &'static str) -> impl Fn(&Text, Text, &mut Text) + Clone {
    move |_, value, all| *all = list(all.take(), mark, &value, 0)
}

/// As [`add`], where neither is null.
fn add_present(mark: &'static str) -> impl Fn(&Text, String, &mut String) + Clone {
    move |_, value, all| *all = list(Some(mem::take(all)), mark, &Some(value), 0).unwrap_or_default()
}

fn windows(Window { size, advance, grace }: Window) -> TimeWindows {
    TimeWindows::of_size_and_grace(ms(size), ms(grace)).advance_by(ms(advance))
}
