//! The changes that a task's stores set apart for a commit, until the log has committed.

use tidemill_state::{Sealed, SealedVersions, SealedWindows, StoreError};

use super::TaskStores;
use crate::{
    error::TaskError,
    graph::StoreName,
    operators::StoreHandle,
    transport::{Acknowledged, Offset},
};

/// The sealed changes of each store that was written.
pub(crate) struct SealedStores(Vec<(StoreName, SealedStore)>);

/// The sealed changes of one store.
enum SealedStore {
    KeyValue(Sealed),
    Window(SealedWindows),
    Session(Sealed),
    Versioned(SealedVersions),
}

impl TaskStores {
    /// Sets apart the changes that belong to the commit. Later changes belong to the next commit.
    pub(crate) fn seal(&self) -> SealedStores {
        let sealed = self.handles.iter().map(|(name, handle)| (name.clone(), handle.seal()));
        SealedStores(sealed.filter(|(_, sealed)| !sealed.is_empty()).collect())
    }

    /// Writes the sealed changes to the backends, each with the changelog offset to which it corresponds. A store whose
    /// changelog has strays keeps its earlier checkpoint.
    pub(crate) fn commit(
        &self,
        SealedStores(stores): SealedStores,
        acknowledged: &Acknowledged,
        wall_ms: i64,
        is_flush: bool,
    ) -> Result<(), TaskError> {
        for (name, sealed) in stores {
            let handle = &self.handles[&name];
            // A store that sent nothing may find the end of an earlier flush that was given up.
            let sent = sealed.changes();
            let changelog = self.changelogs.get(&name).filter(|_| sent > 0);
            let end = changelog.and_then(|changelog| acknowledged.get(changelog).copied());
            if let (Some(end), SealedStore::Window(windows), StoreHandle::Window(store)) = (end, &sealed, handle) {
                self.with_head(&name, store, |head, _| head.wrote(windows, end));
            }
            let checkpoint = end.filter(|end| !is_flush || self.flushed(&name, sent, *end));
            handle.commit_sealed(sealed, checkpoint).map_err(|error| self.error(error))?;
            self.note_current(handle, wall_ms)?;
            if sent == 0 {
                self.agree(&name)?;
            }
        }
        Ok(())
    }
}

impl SealedStore {
    /// The number of its changelog records.
    fn changes(&self) -> usize {
        match self {
            Self::KeyValue(rows) | Self::Session(rows) => rows.changes(),
            Self::Window(windows) => windows.rows().changes(),
            Self::Versioned(versions) => versions.rows().changes(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::KeyValue(rows) | Self::Session(rows) => rows.is_empty(),
            Self::Window(windows) => windows.rows().is_empty(),
            Self::Versioned(versions) => versions.rows().is_empty(),
        }
    }
}

impl StoreHandle {
    fn seal(&self) -> SealedStore {
        match self {
            Self::KeyValue(store) => SealedStore::KeyValue(store.borrow_mut().seal()),
            Self::Window(store) => SealedStore::Window(store.borrow_mut().seal()),
            Self::Session(store) => SealedStore::Session(store.borrow_mut().seal()),
            Self::Versioned(store) => SealedStore::Versioned(store.borrow_mut().seal()),
        }
    }

    fn commit_sealed(&self, sealed: SealedStore, checkpoint: Option<Offset>) -> Result<(), StoreError> {
        match (self, sealed) {
            (Self::KeyValue(store), SealedStore::KeyValue(sealed)) => {
                store.borrow_mut().commit_sealed(sealed, checkpoint)
            }
            (Self::Window(store), SealedStore::Window(sealed)) => store.borrow_mut().commit_sealed(sealed, checkpoint),
            (Self::Session(store), SealedStore::Session(sealed)) => {
                store.borrow_mut().commit_sealed(sealed, checkpoint)
            }
            (Self::Versioned(store), SealedStore::Versioned(sealed)) => {
                store.borrow_mut().commit_sealed(sealed, checkpoint)
            }
            _ => unreachable!("a store's sealed changes are of its kind"),
        }
    }
}
