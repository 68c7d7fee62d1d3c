//! Interactive queries: a thread answers between two records, from stores with their caches flushed.

use std::{marker::PhantomData, sync::Arc};

use crossbeam_channel::{Sender, bounded};
use thiserror::Error;
use tidemill_state::{CodecError, Coded, KeyValueStore, StoreError, WindowedStore};

use super::Standbys;
use crate::{operators::StoreHandle, task::TaskStores};

/// Something to do with the stores of one thread's running tasks.
pub(crate) type Job = Box<dyn FnOnce(&[&TaskStores]) + Send>;

/// Why a query has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No task of this instance that may answer has the store: it does not exist, restores, or lives on another
    /// instance.
    #[error("no running task of this instance has a store '{0}' of that kind")]
    NotHere(String),
    /// The topology has no such store.
    #[error("the topology has no store '{0}'")]
    UnknownStore(String),
    /// The threads have ended.
    #[error("the application is not running")]
    NotRunning,
    /// The key cannot be encoded.
    #[error(transparent)]
    Key(#[from] CodecError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whom a query asks: every thread, or of some partition's task only; and the standbys, if they will do.
#[derive(Clone)]
pub(super) struct Asked {
    jobs: Vec<Sender<Job>>,
    standbys: Arc<Standbys>,
    partition: Option<i32>,
    stale: bool,
}

impl Asked {
    pub(super) fn new(jobs: Vec<Sender<Job>>, standbys: Arc<Standbys>) -> Self {
        Self { jobs, standbys, partition: None, stale: false }
    }

    /// Asks and joins the answers.
    fn ask<R: Send + 'static>(
        &self,
        name: &Arc<str>,
        read: impl Fn(&StoreHandle) -> Option<Result<R, StoreError>> + Send + Sync + 'static,
    ) -> Result<Vec<R>, QueryError> {
        let (read, partition) = (Arc::new(read), self.partition);
        let mut replies = Vec::new();
        for job in &self.jobs {
            let (sender, receiver) = bounded(1);
            let (name, read) = (name.clone(), read.clone());
            let work: Job = Box::new(move |tasks| {
                let tasks = tasks.iter().filter(|task| partition.is_none_or(|number| number == task.task.partition));
                let handles = tasks.filter_map(|task| task.handles.get(&name));
                // The one who asked may have gone: nobody misses the answer then.
                let _ = sender.send(handles.filter_map(|handle| read(handle)).collect::<Vec<_>>());
            });
            job.send(work).map_err(|_| QueryError::NotRunning)?;
            replies.push(receiver);
        }
        let mut found = Vec::new();
        for reply in replies {
            found.extend(reply.recv().map_err(|_| QueryError::NotRunning)?);
        }
        if self.stale {
            found.extend(self.standbys.read(name, partition, |handle| read(handle)));
        }
        if found.is_empty() {
            return Err(QueryError::NotHere(name.to_string()));
        }
        Ok(found.into_iter().collect::<Result<_, _>>()?)
    }
}

/// Reads a key-value store of this instance, uncommitted updates included.
pub struct KeyValueQuery<K, V> {
    asked: Asked,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> KeyValueQuery<K, V> {
    pub(super) fn new(asked: Asked, store: &str) -> Self {
        Self { asked, store: store.into(), types: PhantomData }
    }

    /// Asks one partition's task only: a key that is nowhere else is then not missing where it cannot be.
    pub fn with_partition(mut self, partition: i32) -> Self {
        self.asked.partition = Some(partition);
        self
    }

    /// Lets standbys answer, too: what they tell is committed, and may be older than what the task's owner knows.
    pub fn enable_stale_stores(mut self) -> Self {
        self.asked.stale = true;
        self
    }
}

impl<K: Coded + Clone + Sync, V: Coded> KeyValueQuery<K, V> {
    fn ask<R: Send + 'static>(
        &self,
        read: impl Fn(KeyValueStore<K, V>) -> Result<R, StoreError> + Send + Sync + 'static,
    ) -> Result<Vec<R>, QueryError> {
        self.asked.ask(&self.store, move |handle| match handle {
            StoreHandle::KeyValue(store) => Some(read(typed(store.clone()))),
            StoreHandle::Window(_) => None,
        })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// If no task that may answer has the store, or it cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<V>, QueryError> {
        let key = key.clone();
        Ok(self.ask(move |store| store.get(&key))?.into_iter().flatten().next())
    }

    /// Every key and value that this instance has, in the order of the keys' bytes within a partition.
    ///
    /// # Errors
    /// If no task that may answer has the store, or it cannot be read.
    pub fn all(&self) -> Result<Vec<(K, V)>, QueryError> {
        Ok(self.ask(|store| store.all())?.into_iter().flatten().collect())
    }
}

fn typed<K: Coded, V: Coded>(store: std::rc::Rc<std::cell::RefCell<tidemill_state::Store>>) -> KeyValueStore<K, V> {
    KeyValueStore::new(store, Arc::new(K::Codec::default()), Arc::new(V::Codec::default()))
}

/// Reads a window store of this instance, uncommitted updates included.
pub struct WindowQuery<K, V> {
    asked: Asked,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> WindowQuery<K, V> {
    pub(super) fn new(asked: Asked, store: &str) -> Self {
        Self { asked, store: store.into(), types: PhantomData }
    }

    /// Asks one partition's task only: a key that is nowhere else is then not missing where it cannot be.
    pub fn with_partition(mut self, partition: i32) -> Self {
        self.asked.partition = Some(partition);
        self
    }

    /// Lets standbys answer, too: what they tell is committed, and may be older than what the task's owner knows.
    pub fn enable_stale_stores(mut self) -> Self {
        self.asked.stale = true;
        self
    }
}

impl<K: Coded + Clone + Sync, V: Coded> WindowQuery<K, V> {
    /// A key's values in windows that start from `from_ms`, up to and without `to_ms`.
    ///
    /// # Errors
    /// If no task that may answer has the store, or it cannot be read.
    pub fn fetch(&self, key: &K, from_ms: i64, to_ms: i64) -> Result<Vec<(i64, V)>, QueryError> {
        let key = key.clone();
        let found = self.asked.ask(&self.store, move |handle| match handle {
            StoreHandle::Window(store) => {
                let (keys, values) = (Arc::new(K::Codec::default()), Arc::new(V::Codec::default()));
                Some(WindowedStore::new(store.clone(), keys, values).fetch(&key, from_ms, to_ms))
            }
            StoreHandle::KeyValue(_) => None,
        })?;
        Ok(found.into_iter().flatten().collect())
    }
}
