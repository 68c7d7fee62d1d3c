//! A task's stores on their way from one thread to another.

use std::{collections::BTreeMap, rc::Rc};

use tidemill_state::{Store, WindowStore};

use super::TaskStores;
use crate::{graph::StoreName, operators::StoreHandle, plan::TaskId, transport::TopicPartition};

/// Stores that no operator uses, so that any thread may have them.
pub(crate) struct PortableStores {
    pub(crate) task: TaskId,
    stores: Vec<(StoreName, Portable)>,
    changelogs: BTreeMap<StoreName, TopicPartition>,
}

enum Portable {
    KeyValue(Store),
    Window(WindowStore),
}

impl PortableStores {
    /// `None`, with the stores closed, if somebody still uses one: they are then found again where they are kept.
    pub(crate) fn pack(stores: TaskStores) -> Option<Self> {
        let TaskStores { task, handles, changelogs, .. } = stores;
        let pack = |(name, handle)| {
            let store = match handle {
                StoreHandle::KeyValue(store) => Portable::KeyValue(Rc::into_inner(store)?.into_inner()),
                StoreHandle::Window(store) => Portable::Window(Rc::into_inner(store)?.into_inner()),
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
            };
            (name, handle)
        });
        TaskStores::of(self.task, handles.collect(), self.changelogs)
    }

    /// Uses the stores. Whoever does must let go of all handles.
    pub(crate) fn with<R>(&mut self, work: impl FnOnce(&TaskStores) -> R) -> R {
        let empty = Self { task: self.task, stores: Vec::new(), changelogs: BTreeMap::new() };
        let stores = std::mem::replace(self, empty).unpack();
        let done = work(&stores);
        *self = Self::pack(stores).expect("nobody keeps a handle");
        done
    }

    /// The changelogs of those that have one.
    pub(crate) fn changelogs(&self) -> impl Iterator<Item = &TopicPartition> {
        self.changelogs.values()
    }

    /// Whether there is a store of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.stores.iter().any(|(store, _)| **store == *name)
    }
}
