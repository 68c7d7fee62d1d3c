//! A task's stores in a form that can move to another thread.

use std::{collections::BTreeMap, rc::Rc};

use tidemill_state::{ByteSessionStore, ByteStore, ByteVersionedStore, ByteWindowStore};

use super::TaskStores;
use crate::{graph::StoreName, operators::StoreHandle, plan::TaskId, transport::TopicPartition};

/// Stores that no operator uses, so any thread may own them.
pub(crate) struct PortableStores {
    pub(crate) task: TaskId,
    stores: Vec<(StoreName, Portable)>,
    changelogs: BTreeMap<StoreName, TopicPartition>,
}

enum Portable {
    KeyValue(ByteStore),
    Window(ByteWindowStore),
    Session(ByteSessionStore),
    Versioned(ByteVersionedStore),
}

impl PortableStores {
    /// Packs the stores. `None` if a store is still in use: then the stores are closed, and must be opened again.
    pub(crate) fn pack(stores: TaskStores) -> Option<Self> {
        let TaskStores { task, handles, changelogs, .. } = stores;
        let pack = |(name, handle)| {
            let store = match handle {
                StoreHandle::KeyValue(store) => Portable::KeyValue(Rc::into_inner(store)?.into_inner()),
                StoreHandle::Window(store) => Portable::Window(Rc::into_inner(store)?.into_inner()),
                StoreHandle::Session(store) => Portable::Session(Rc::into_inner(store)?.into_inner()),
                StoreHandle::Versioned(store) => Portable::Versioned(Rc::into_inner(store)?.into_inner()),
            };
            Some((name, store))
        };
        Some(Self { task, stores: handles.into_iter().map(pack).collect::<Option<_>>()?, changelogs })
    }

    pub(crate) fn unpack(self) -> TaskStores {
        let handles = self.stores.into_iter().map(|(name, store)| {
            let handle = match store {
                Portable::KeyValue(store) => StoreHandle::KeyValue(Rc::new(store.into())),
                Portable::Window(store) => StoreHandle::Window(Rc::new(store.into())),
                Portable::Session(store) => StoreHandle::Session(Rc::new(store.into())),
                Portable::Versioned(store) => StoreHandle::Versioned(Rc::new(store.into())),
            };
            (name, handle)
        });
        TaskStores::of(self.task, handles.collect(), self.changelogs)
    }

    /// Works on the stores. `work` must not keep a handle.
    pub(crate) fn with<R>(&mut self, work: impl FnOnce(&TaskStores) -> R) -> R {
        let empty = Self { task: self.task, stores: Vec::new(), changelogs: BTreeMap::new() };
        let stores = std::mem::replace(self, empty).unpack();
        let done = work(&stores);
        *self = Self::pack(stores).expect("nobody keeps a handle");
        done
    }

    /// The changelogs of the stores that have one.
    pub(crate) fn changelogs(&self) -> impl Iterator<Item = &TopicPartition> {
        self.changelogs.values()
    }

    /// Whether there is a store of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.stores.iter().any(|(store, _)| **store == *name)
    }
}
