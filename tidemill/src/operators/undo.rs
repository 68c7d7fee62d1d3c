//! All or nothing: if an operator rejects a record, the effects of all operators for that record are undone.
//!
//! This applies only if the processing handler lets errors pass. Stores note the rows that writes replace. Closures
//! restore all other state of operators and context, in reverse order. The fields of a user's processor cannot be
//! restored: a processor must keep state that depends on records in a store.

use std::fmt;

use tidemill_state::{Savepoint as Journaled, VersionSavepoint};

use super::{DropReason, Outcome, StoreHandle, TaskContext};
use crate::handlers::ErrorOrigin;

/// Restores an earlier state.
type PutBack = Box<dyn FnOnce(&mut TaskContext)>;

/// The changes that can be undone.
#[derive(Default)]
pub(crate) struct Undo {
    stores: Vec<StoreHandle>,
    changes: Vec<PutBack>,
    /// Whether changes are noted now.
    notes: bool,
}

/// The state of a task's changes at one moment.
struct Savepoint {
    outputs: usize,
    changes: usize,
    /// `None` if nothing was noted yet.
    stores: Option<Vec<StoreSavepoint>>,
}

enum StoreSavepoint {
    KeyValue(usize),
    Journaled(Journaled),
    Versioned(VersionSavepoint),
}

impl Undo {
    pub(crate) fn new(stores: Vec<StoreHandle>) -> Self {
        Self { stores, changes: Vec::new(), notes: false }
    }
}

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undo").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

impl TaskContext {
    /// Notes how to undo a change that follows, if changes are noted now.
    #[inline]
    pub(crate) fn on_undo<F: FnOnce(&mut Self) + 'static>(&mut self, put_back: impl FnOnce(&Self) -> F) {
        if self.undo.notes {
            let put_back = put_back(self);
            self.undo.changes.push(Box::new(put_back));
        }
    }

    /// Runs the work of a record, a tick or a punctuation. If the work returns an error, all its effects are undone.
    pub(crate) fn all_or_nothing(&mut self, work: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        if !self.leaves_out {
            return work(self);
        }
        self.undo.stores.iter().for_each(StoreHandle::begin_undo);
        self.undo.changes.clear();
        self.undo.notes = true;
        let start = Savepoint { outputs: self.outputs.len(), changes: 0, stores: None };
        let outcome = work(self).inspect_err(|_| self.undo_to(&start));
        self.undo.notes = false;
        outcome
    }

    /// Runs work that does not belong to a single record, such as emitting a window's result. If an operator rejects
    /// the result and the processing handler lets errors pass, only this result is left out: the record that triggered
    /// the work and the other results are not at fault. There is no record for a dead-letter topic.
    pub(crate) fn or_left_out(&mut self, work: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        self.results += 1;
        if !self.leaves_out {
            return work(self);
        }
        let (sender, start) = (self.node, self.savepoint());
        work(self).or_else(|failure| {
            let reason = failure.to_string();
            self.judge(failure, ErrorOrigin::Processing, self.node, None)?;
            self.undo_to(&start);
            self.count_dropped(self.node, DropReason::Processing);
            tracing::warn!(%reason, "left out a result that an operator rejected");
            self.node = sender;
            Ok(())
        })
    }

    fn savepoint(&self) -> Savepoint {
        let stores = self.undo.stores.iter().map(StoreHandle::savepoint).collect();
        Savepoint { outputs: self.outputs.len(), changes: self.undo.changes.len(), stores: Some(stores) }
    }

    fn undo_to(&mut self, savepoint: &Savepoint) {
        self.outputs.truncate(savepoint.outputs);
        for put_back in self.undo.changes.split_off(savepoint.changes).into_iter().rev() {
            put_back(self);
        }
        match &savepoint.stores {
            None => self.undo.stores.iter().for_each(StoreHandle::undo_all),
            Some(stores) => self.undo.stores.iter().zip(stores).for_each(|(store, at)| store.undo_to(at)),
        }
    }
}

impl StoreHandle {
    fn begin_undo(&self) {
        match self {
            Self::KeyValue(store) => store.borrow_mut().begin_undo(),
            Self::Window(store) => store.borrow_mut().begin_undo(),
            Self::Session(store) => store.borrow_mut().begin_undo(),
            Self::Versioned(store) => store.borrow_mut().begin_undo(),
        }
    }

    fn savepoint(&self) -> StoreSavepoint {
        match self {
            Self::KeyValue(store) => StoreSavepoint::KeyValue(store.borrow().savepoint()),
            Self::Window(store) => StoreSavepoint::Journaled(store.borrow().savepoint()),
            Self::Session(store) => StoreSavepoint::Journaled(store.borrow().savepoint()),
            Self::Versioned(store) => StoreSavepoint::Versioned(store.borrow().savepoint()),
        }
    }

    fn undo_to(&self, savepoint: &StoreSavepoint) {
        match (self, savepoint) {
            (Self::KeyValue(store), StoreSavepoint::KeyValue(at)) => store.borrow_mut().undo_to(*at),
            (Self::Window(store), StoreSavepoint::Journaled(at)) => store.borrow_mut().undo_to(*at),
            (Self::Session(store), StoreSavepoint::Journaled(at)) => store.borrow_mut().undo_to(*at),
            (Self::Versioned(store), StoreSavepoint::Versioned(at)) => store.borrow_mut().undo_to(*at),
            (Self::KeyValue(_) | Self::Window(_) | Self::Session(_) | Self::Versioned(_), _) => {}
        }
    }

    fn undo_all(&self) {
        match self {
            Self::KeyValue(store) => store.borrow_mut().undo_to(0),
            Self::Window(store) => store.borrow_mut().undo_to(Journaled::default()),
            Self::Session(store) => store.borrow_mut().undo_to(Journaled::default()),
            Self::Versioned(store) => store.borrow_mut().undo_to(VersionSavepoint::default()),
        }
    }

    /// Ends what [`TaskContext::all_or_nothing`] began: later writes are not noted.
    fn end_undo(&self) {
        match self {
            Self::KeyValue(store) => store.borrow_mut().end_undo(),
            Self::Window(store) => store.borrow_mut().end_undo(),
            Self::Session(store) => store.borrow_mut().end_undo(),
            Self::Versioned(store) => store.borrow_mut().end_undo(),
        }
    }
}

impl TaskContext {
    /// Ends undo: earlier changes can no longer be undone. Called before caches are written to the stores.
    pub(crate) fn end_undo(&mut self) {
        self.undo.stores.iter().for_each(StoreHandle::end_undo);
        self.undo.changes = Vec::new();
    }
}
