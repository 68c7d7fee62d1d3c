//! The operators of a case: each draw adds one that is valid where it stands.

use std::collections::BTreeSet;

use super::{
    about::{About, Shape, ordered},
    draw::{Draw, TAME, join_streams, of, window},
};
use crate::case::{Case, FoldKind, Kind, Node, is_single};

/// How many nodes each plan begins with.
const SOURCES: usize = 6;
/// The place of the versioned table, and the number of its topic.
const VERSIONED: u8 = 4;
/// How long it keeps versions.
pub(super) const HISTORY: i64 = 20;
/// How long other stores keep versions, if they do.
const VERSIONS: &[Option<i64>] = &[None, None, Some(HISTORY), None, Some(3)];

pub(super) struct Plan {
    nodes: Vec<Node>,
    about: Vec<About>,
    /// All streams and tables come from the first topic.
    narrow: bool,
}

impl Plan {
    /// The sources, which stay if something reads them.
    pub(super) fn new(narrow: bool) -> Self {
        let mut plan = Self { nodes: Vec::new(), about: Vec::new(), narrow };
        for (topic, number) in ["a", "b", "t", "u", "v", "w"].into_iter().zip(0..) {
            let topic = topic.to_owned();
            let (shape, node) = match number {
                0 | 1 => (Shape::Stream, Node::Stream { topic }),
                2 | 3 => (Shape::Table, Node::Table { topic }),
                VERSIONED => (Shape::Table, Node::VersionedTable { topic, history: HISTORY }),
                _ => (Shape::Global, Node::GlobalTable { topic }),
            };
            plan.about.push(About { versioned: number == VERSIONED, ..About::source(shape, number) });
            plan.nodes.push(node);
        }
        plan
    }

    /// Adds an operator, if one of that kind is possible.
    pub(super) fn add(&mut self, draw: Draw) {
        let Draw { a, b, c, .. } = draw;
        let (modulo, suffix) = (of(a, &[2, 3, 5]), format!("{}", char::from(b'p' + b % 4)));
        let (kind, fold) =
            (of(b, &[Kind::Inner, Kind::Left]), of(a, &[FoldKind::Count, FoldKind::Reduce, FoldKind::Aggregate]));
        let delete = if fold == FoldKind::Aggregate { of(c, &[0, 0, 3]) } else { 0 };
        let added = match draw.op {
            0 => self.any(draw).map(|from| Node::MapValues { from, add: suffix }),
            1 => self.any(draw).map(|from| Node::Filter { from, r#mod: modulo, is: u64::from(b) % modulo }),
            2 => self.any(draw).map(|from| Node::FilterNot { from, r#mod: modulo, is: u64::from(b) % modulo }),
            3 => self.any(draw).map(|from| Node::NullValues { from, r#mod: modulo }),
            4 => self.any(draw).map(|from| Node::NullKeys { from, r#mod: modulo }),
            5 => self.any(draw).map(|from| Node::SelectKey { from, r#mod: modulo }),
            6 => self.any(draw).map(|from| Node::Map { from, r#mod: modulo, add: suffix }),
            7 => self.any(draw).map(|from| Node::FlatMapValues { from, r#mod: modulo }),
            8 => self.any(draw).map(|from| Node::FlatMap { from, r#mod: modulo }),
            9 => self.split(draw),
            10 | 11 => {
                self.two(draw, |about| about.shape == Shape::Stream).map(|(from, with)| Node::Merge { from, with })
            }
            12 => self.any(draw).map(|from| Node::Repartition { from, keyless: false }),
            13..16 => {
                self.keyed(draw).map(|from| Node::Fold { from, kind: fold, initial: false, versions: of(c, VERSIONS) })
            }
            16..20 => {
                let close = draw.op > 17;
                self.keyed(draw).map(|from| Node::Windowed {
                    from,
                    window: window(b, c),
                    kind: fold,
                    close,
                    delete,
                    forgetful: false,
                })
            }
            20 => self.pair(draw, a % 2 == 0).map(|(from, with)| {
                let window = (a % 2 == 0).then(|| window(b, c));
                Node::Cogroup { from, with, window }
            }),
            21..24 => self.pair(draw, true).map(|(from, with)| join_streams(draw, from, with)),
            24..27 => self.join_table(draw).map(|(from, with)| {
                let waits = of(c, &[None, Some(3), Some(HISTORY), None]).filter(|_| with == usize::from(VERSIONED));
                // Kafka Streams fails if a record without a key waits.
                let apart = !self.about[from].topics.contains(&VERSIONED);
                let (from, waits) = match (kind, waits) {
                    (Kind::Left, Some(_)) if !apart => (from, None),
                    (Kind::Left, Some(_)) => (self.push(Node::Repartition { from, keyless: false }), waits),
                    _ => (from, waits),
                };
                Node::JoinTable { from, with, kind, waits }
            }),
            27 => self.table(draw, false).map(|from| {
                let stored = b % 2 == 1 && self.about[from].shape == Shape::Table;
                let versions = of(c, VERSIONS).filter(|_| stored);
                Node::TableFilter { from, r#mod: modulo, is: u64::from(b) % modulo, stored, versions }
            }),
            28 => self.table(draw, true).map(|from| {
                let stored = c % 2 == 1 && self.about[from].shape == Shape::Table;
                let versions = of(a, VERSIONS).filter(|_| stored);
                Node::TableMapValues { from, add: suffix, stored, versions }
            }),
            29 | 30 => self.table(draw, false).map(|from| Node::GroupTable {
                from,
                r#mod: modulo,
                kind: fold,
                versions: of(c, VERSIONS),
            }),
            31 | 32 | 60 => self
                .two(draw, |about| about.shape == Shape::Table && !about.initial && !about.viewless)
                .map(|(from, with)| {
                    let kind = of(c, &[Kind::Inner, Kind::Left, Kind::Outer]);
                    let stored = b % 2 == 1;
                    Node::JoinTables { from, with, kind, stored, versions: of(a, VERSIONS).filter(|_| stored) }
                }),
            33 => self.keyed(draw).map(|from| Node::ToTable { from, versions: of(a, VERSIONS) }),
            34..37 => self.keyed(draw).map(|from| {
                // Far behind tables and closed windows, records may be late by any time.
                let grace = if self.about[from].plain { of(c, &[0, TAME, 3, 20]) } else { 100_000 };
                Node::Sessions {
                    from,
                    gap: of(b, &[5, 2, 10, 1, 0]),
                    grace,
                    kind: fold,
                    close: draw.op == 36,
                    forgetful: false,
                }
            }),
            42..45 => self.keyed(draw).map(|from| {
                let (difference, grace) = (of(b, &[5, 2, 10, 1]), of(c, &[0, 3, 10, 40]));
                Node::Sliding { from, difference, grace, kind: fold, close: draw.op == 44, forgetful: false }
            }),
            37 | 38 => self
                .table(draw, true)
                .filter(|from| !self.about[*from].storeless && !self.about[*from].versioned)
                .map(|from| {
                    let until_close =
                        self.about[from].shape == Shape::Windows && !self.about[from].inclusive && b % 4 != 0;
                    let keys = if until_close { None } else { of(a, &[None, None, Some(1), Some(2)]) };
                    Node::Suppress { from, wait: (!until_close).then(|| of(c, &[5, 0, 20])), keys }
                }),
            45 => self.table(draw, false).map(|from| {
                let stored = b % 2 == 1 && self.about[from].shape == Shape::Table;
                Node::TableFilterNot { from, r#mod: modulo, is: u64::from(b) % modulo, stored }
            }),
            46 => self
                .table(draw, true)
                .filter(|from| self.about[*from].shape == Shape::Table)
                .map(|from| Node::TransformValues { from, add: suffix, stored: c % 2 == 1 }),
            47 | 48 => self.any(draw).map(|from| Node::JoinGlobal { from, with: SOURCES - 1, kind }),
            49 | 54 => self.keyed(draw).map(|from| Node::Process {
                from,
                every: of(b, &[5, 1_000, 2_500]),
                stream_time: self.narrow || c % 2 == 1,
            }),
            50 => self.keyed(draw).map(|from| Node::ProcessValues { from }),
            55..60 | 61 => self.reader(draw),
            51 => self.pair(draw, true).map(|(from, with)| Node::SessionCogroup {
                from,
                with,
                gap: of(b, &[5, 2, 10, 1, 0]),
                grace: of(c, &[0, 3, 20]),
            }),
            52 => self.pair(draw, true).map(|(from, with)| Node::SlidingCogroup {
                from,
                with,
                difference: of(b, &[5, 2, 10, 1]),
                grace: of(c, &[0, 3, 20]),
            }),
            53 => self
                .choose(draw.from, |about| about.shape == Shape::Stream && about.plain && about.keyed)
                .map(|from| join_streams(Draw { op: a, ..draw }, from, from)),
            _ => self
                .two(draw, |about| about.shape == Shape::Table && !about.initial && !about.viewless)
                .filter(|(from, with)| self.about[*from].topics.is_disjoint(&self.about[*with].topics))
                .map(|(from, with)| Node::JoinForeign { from, with, kind, stored: c % 2 == 1 }),
        };
        if let Some(node) = added {
            self.push(node);
        }
    }

    /// Adds a node, and what is known of it.
    fn push(&mut self, node: Node) -> usize {
        let parents: Vec<_> = node.parents().iter().map(|parent| self.about[*parent].clone()).collect();
        let single = node.parents().iter().all(|parent| is_single(&self.nodes, *parent));
        self.about.push(About::of(&node, &parents, single));
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    pub(super) fn choose(&self, choice: u8, good: impl Fn(&About) -> bool) -> Option<usize> {
        let good = |about: &About| good(about) && (!self.narrow || about.topics == BTreeSet::from([0]));
        let places: Vec<_> = (0..self.about.len()).filter(|place| good(&self.about[*place])).collect();
        (!places.is_empty()).then(|| of(choice, &places))
    }

    /// A node whose records can be read.
    pub(super) fn any(&self, draw: Draw) -> Option<usize> {
        self.choose(draw.from, |about| about.has_records() && !about.foreign)
    }

    /// A node in the order of Kafka Streams, repartitioned if that is necessary.
    pub(super) fn keyed(&mut self, draw: Draw) -> Option<usize> {
        let place = self.choose(draw.from, |about| about.has_records() && !about.loose && !about.foreign)?;
        Some(self.by_key(place))
    }

    fn table(&self, draw: Draw, initial: bool) -> Option<usize> {
        let good = |shape: Shape| shape == Shape::Table || shape == Shape::Windows;
        self.choose(draw.from, |about| {
            good(about.shape) && !about.loose && (initial || !about.initial && !about.viewless)
        })
    }

    fn by_key(&mut self, place: usize) -> usize {
        if self.about[place].keyed { place } else { self.push(Node::Repartition { from: place, keyless: false }) }
    }

    /// Two nodes whose records meet in an order that is certain. Between two ways of the same record, of which one
    /// leads through a repartition topic, there is no order.
    fn two(&self, draw: Draw, good: impl Fn(&About) -> bool) -> Option<(usize, usize)> {
        let from = self.choose(draw.from, &good)?;
        let left = &self.about[from];
        let with = self.choose(draw.with, |right| good(right) && ordered(left, right))?;
        (from != with).then_some((from, with))
    }

    fn pair(&mut self, draw: Draw, plain: bool) -> Option<(usize, usize)> {
        let good = |about: &About| about.shape == Shape::Stream && !about.loose && (about.plain || !plain);
        let (from, with) = self.two(draw, good)?;
        let behind = self.about[from].keyed != self.about[with].keyed;
        let apart = self.about[from].topics.is_disjoint(&self.about[with].topics);
        let both_keyed = self.about[from].keyed && self.about[with].keyed;
        if (behind || !both_keyed) && !apart {
            return None;
        }
        Some((self.by_key(from), self.by_key(with)))
    }

    fn join_table(&mut self, draw: Draw) -> Option<(usize, usize)> {
        let from = self.keyed(draw)?;
        let left = self.about[from].clone();
        let with =
            self.choose(draw.with, |right| right.shape == Shape::Table && !right.viewless && ordered(&left, right))?;
        Some((from, with))
    }

    fn split(&mut self, draw: Draw) -> Option<Node> {
        let from = self.any(draw)?;
        let mods = if draw.b.is_multiple_of(2) { vec![2] } else { vec![2, 3] };
        let branches = mods.len() + 1;
        let from = self.push(Node::Split { from, mods });
        for branch in 0..branches - 1 {
            self.push(Node::Branch { from, branch });
        }
        Some(Node::Branch { from, branch: branches - 1 })
    }

    /// Writes what nothing reads and what has state, and leaves out what leads to no output.
    pub(super) fn finish(self) -> Case {
        let read: BTreeSet<_> = self.nodes.iter().flat_map(Node::parents).collect();
        let stateful = |about: &About| matches!(about.shape, Shape::Table | Shape::Windows);
        let joins = |node: &Node| matches!(node, Node::JoinStreams { .. });
        let written = |place: &usize| {
            let (node, about) = (&self.nodes[*place], &self.about[*place]);
            let leaf = *place >= SOURCES && !read.contains(place);
            about.has_records()
                && (leaf || joins(node) || stateful(about) && (*place >= SOURCES || read.contains(place)))
        };
        let mut outputs: Vec<_> = (0..self.nodes.len()).filter(written).collect();
        if outputs.is_empty() {
            outputs.push(0);
        }
        let mut kept: BTreeSet<usize> = outputs.iter().copied().collect();
        for place in (0..self.nodes.len()).rev() {
            if kept.contains(&place) {
                kept.extend(self.nodes[place].parents());
            }
        }
        let place = |old: usize| kept.iter().position(|kept| *kept == old).expect("is kept");
        let nodes = kept.iter().map(|old| {
            let mut node = self.nodes[*old].clone();
            node.parents_mut().into_iter().for_each(|parent| *parent = place(*parent));
            node
        });
        Case { nodes: nodes.collect(), outputs: outputs.into_iter().map(place).collect(), script: Vec::new() }
    }
}
