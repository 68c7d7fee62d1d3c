//! The numbers that choose an operator, and what they mean for its parameters.

use proptest::prelude::*;

use crate::case::{Kind, Node, Window};

/// A join whose grace is drawn as this or more gets no record that is late.
pub(super) const TAME: i64 = 5;

/// Numbers that choose an operator, its inputs and its parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) op: u8,
    pub(super) from: u8,
    pub(super) with: u8,
    pub(super) a: u8,
    pub(super) b: u8,
    pub(super) c: u8,
}

impl Draw {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let numbers = (0..ROWS, any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
        numbers.prop_map(|(op, from, with, a, b, c)| Self { op, from, with, a, b, c })
    }
}

/// How many rows the choice in `Plan::add` has.
const ROWS: u8 = 62;

/// One of them.
pub(super) fn of<T: Copy>(choice: u8, all: &[T]) -> T {
    all[usize::from(choice) % all.len()]
}

pub(super) fn join_streams(Draw { op, a, c, .. }: Draw, from: usize, with: usize) -> Node {
    let (before, after) = of(a, &[(5, 5), (0, 10), (10, 0), (0, 1), (3, 7), (0, 0)]);
    let kind = of(op, &[Kind::Inner, Kind::Left, Kind::Outer]);
    let grace = of(c, &[0, TAME, 2, 20]);
    Node::JoinStreams { from, with, kind, before, after, grace, forgetful: false }
}

pub(super) fn window(b: u8, c: u8) -> Window {
    let size = of(b, &[10, 5, 20]);
    let advance = of(c / 4, &[size, size, size / 2, 3]);
    Window { size, advance, grace: of(c, &[0, 3, 10, 40]) }
}
