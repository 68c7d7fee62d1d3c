//! What a common window of two streams holds, and when it is emitted.

/// Both sides of a common window, each in the order its records came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cogrouped<L, R> {
    /// Elements of the left stream; empty if it was silent.
    pub left: Vec<L>,
    /// Elements of the right stream; empty if it was silent.
    pub right: Vec<R>,
}

/// Which windows of two streams are emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Those in which both sides had something.
    Inner,
    /// Those in which the left side had something.
    Left,
    /// Those in which either side had something.
    Outer,
}

impl JoinKind {
    pub(crate) const fn emits(self, left: bool, right: bool) -> bool {
        match self {
            Self::Inner => left && right,
            Self::Left => left,
            Self::Outer => left || right,
        }
    }
}
