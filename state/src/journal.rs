//! The states before changes, so that single changes can be undone.

/// A position for `undo_to` of a store of windows or sessions. The default is the position at its `begin_undo`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Savepoint {
    pub(crate) rows: usize,
    pub(crate) journal: usize,
}

/// The states before each change, oldest first. Nothing is noted outside [`begin`](Self::begin) and [`end`](Self::end).
#[derive(Debug, Clone)]
pub(crate) struct Journal<T>(Option<Vec<T>>);

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Journal<T> {
    /// Begins to note changes. Earlier changes can no longer be undone.
    pub(crate) fn begin(&mut self) {
        self.0.get_or_insert_default().clear();
    }

    /// No change can be undone any more.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn note(&mut self, before: impl FnOnce() -> T) {
        if let Some(noted) = &mut self.0 {
            noted.push(before());
        }
    }

    /// The number of noted changes, as a savepoint.
    pub(crate) fn savepoint(&self) -> usize {
        self.0.as_ref().map_or(0, Vec::len)
    }

    /// Takes back what was noted since a savepoint, newest first.
    pub(crate) fn take_since(&mut self, savepoint: usize) -> impl Iterator<Item = T> + use<T> {
        let noted = self.0.as_mut().map(|noted| noted.split_off(savepoint.min(noted.len())));
        noted.unwrap_or_default().into_iter().rev()
    }
}
