//! The global stores of an instance. One thread fills each store; all tasks and queries read it.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    rc::Rc,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tidemill_state::{Backend, ByteStore, MemoryBackend, SharedBackend};

use super::StoreHandle;
use crate::graph::StoreName;

/// The global stores by name.
pub(crate) struct GlobalStores(Mutex<BTreeMap<StoreName, Place>>);

/// A global store's rows. They are empty before the store is opened.
struct Place {
    rows: SharedBackend,
    /// Whether the rows hold what the topic held when its thread began.
    whole: bool,
}

impl GlobalStores {
    pub(crate) fn new(names: impl Iterator<Item = StoreName>) -> Self {
        let place = || Place { rows: SharedBackend::new(Box::new(MemoryBackend::new())), whole: false };
        Self(Mutex::new(names.map(|name| (name, place())).collect()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StoreName, Place>> {
        // Places change as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a store its rows. Nobody reads them before they are whole.
    pub(crate) fn open(&self, name: &str, backend: Box<dyn Backend>) -> SharedBackend {
        let mut places = self.lock();
        let place = places.get_mut(name).expect("the graph names all global stores");
        place.rows.replace(backend);
        place.whole = false;
        place.rows.clone()
    }

    pub(crate) fn set_whole(&self, name: &str, whole: bool) {
        if let Some(place) = self.lock().get_mut(name) {
            place.whole = whole;
        }
    }

    /// Whether every store is whole, so that tasks may work.
    pub(crate) fn are_whole(&self) -> bool {
        self.lock().values().all(|place| place.whole)
    }

    /// Lets go of a store's rows, so that they can be opened again.
    pub(crate) fn forget(&self, name: &str) {
        drop(self.open(name, Box::new(MemoryBackend::new())));
    }

    /// Lets go of all rows when the instance ends. Later queries find no store.
    pub(crate) fn close(&self) {
        let names: Vec<_> = self.lock().keys().cloned().collect();
        for name in names {
            self.forget(&name);
        }
    }

    /// A store for reading; `None` if there is no such global store or it is not whole.
    pub(crate) fn reading(&self, name: &str) -> Option<Rc<RefCell<ByteStore>>> {
        let (name, rows) = {
            let places = self.lock();
            let (name, place) = places.get_key_value(name).filter(|(_, place)| place.whole)?;
            (name.clone(), place.rows.clone())
        };
        Some(Rc::new(RefCell::new(ByteStore::read_only(name, Box::new(rows)))))
    }

    /// All whole stores, for processors.
    pub(crate) fn all(&self) -> Vec<(StoreName, StoreHandle)> {
        let names: Vec<_> = self.lock().keys().cloned().collect();
        let open = |name: StoreName| Some((name.clone(), StoreHandle::KeyValue(self.reading(&name)?)));
        names.into_iter().filter_map(open).collect()
    }
}

impl fmt::Debug for GlobalStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}
