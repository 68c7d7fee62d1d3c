//! What a task's stores set apart for a commit, until the log has it.

use tidemill_state::{Sealed, SealedWindows, StoreError};

use super::TaskStores;
use crate::{
    error::TaskError,
    graph::StoreName,
    operators::StoreHandle,
    transport::{Acknowledged, Offset},
};

/// Of each store that was written: what belongs to the commit.
pub(crate) struct SealedStores(Vec<(StoreName, SealedStore)>);

/// Of one store.
enum SealedStore {
    KeyValue(Sealed),
    Window(SealedWindows),
}

impl TaskStores {
    /// Sets apart what a commit holds. What is written from here on belongs to the next.
    pub(crate) fn seal(&self) -> SealedStores {
        let sealed = self.handles.iter().map(|(name, handle)| (name.clone(), handle.seal()));
        SealedStores(sealed.filter(|(_, sealed)| !sealed.is_empty()).collect())
    }

    /// Brings what was sealed into the backends, each with the changelog offset that it corresponds to.
    pub(crate) fn commit(
        &self,
        SealedStores(stores): SealedStores,
        acknowledged: &Acknowledged,
        wall_ms: i64,
    ) -> Result<(), TaskError> {
        for (name, sealed) in stores {
            let handle = &self.handles[&name];
            let checkpoint = self.changelogs.get(&name).and_then(|changelog| acknowledged.get(changelog)).copied();
            if let (Some(end), SealedStore::Window(windows), StoreHandle::Window(store)) = (checkpoint, &sealed, handle)
            {
                self.with_head(&name, store, |head, _| head.wrote(windows, end));
            }
            handle.commit_sealed(sealed, checkpoint).map_err(|error| self.error(error))?;
            self.note_current(handle, wall_ms)?;
        }
        Ok(())
    }
}

impl SealedStore {
    fn is_empty(&self) -> bool {
        match self {
            Self::KeyValue(rows) => rows.is_empty(),
            Self::Window(windows) => windows.rows().is_empty(),
        }
    }
}

impl StoreHandle {
    fn seal(&self) -> SealedStore {
        match self {
            Self::KeyValue(store) => SealedStore::KeyValue(store.borrow_mut().seal()),
            Self::Window(store) => SealedStore::Window(store.borrow_mut().seal()),
        }
    }

    fn commit_sealed(&self, sealed: SealedStore, checkpoint: Option<Offset>) -> Result<(), StoreError> {
        match (self, sealed) {
            (Self::KeyValue(store), SealedStore::KeyValue(sealed)) => {
                store.borrow_mut().commit_sealed(sealed, checkpoint)
            }
            (Self::Window(store), SealedStore::Window(sealed)) => store.borrow_mut().commit_sealed(sealed, checkpoint),
            _ => unreachable!("what a store sealed is of its kind"),
        }
    }
}
