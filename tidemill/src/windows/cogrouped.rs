//! The contents of a common window of two streams, and when such a window is emitted.

/// Both sides of a common window. Each side is in the order in which its records came.
/// [`CogroupedWindows::collect`](crate::CogroupedWindows::collect) emits it; see its example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cogrouped<L, R> {
    /// Elements of the left stream; empty if it was silent.
    pub left: Vec<L>,
    /// Elements of the right stream; empty if it was silent.
    pub right: Vec<R>,
}

/// Which windows of two streams are emitted. See the example of
/// [`CogroupedWindows::collect_as`](crate::CogroupedWindows::collect_as).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Windows in which both sides have elements.
    Inner,
    /// Windows in which the left side has elements.
    Left,
    /// Windows in which at least one side has elements.
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
