//! The origin of a task's stores: memory, or folders on disk.

use tidemill_state::{Backend, MemoryBackend, StoreError};

use crate::{graph::StoreSpec, plan::TaskId};

/// Opens stores. It is a parameter of the runtime, so tests and simulations can replace it.
pub(crate) trait StoreSupplier: Send + Sync {
    /// Opens a store, or creates it.
    fn open(&self, task: TaskId, spec: &StoreSpec) -> Result<Box<dyn Backend>, StoreError>;
    /// Sets a corrupted store aside, so that a fresh one can be opened in its place.
    fn quarantine(&self, task: TaskId, spec: &StoreSpec) -> Result<(), StoreError>;
}

/// Keeps every store in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryStores;

impl StoreSupplier for MemoryStores {
    fn open(&self, _task: TaskId, _spec: &StoreSpec) -> Result<Box<dyn Backend>, StoreError> {
        Ok(Box::new(MemoryBackend::default()))
    }

    fn quarantine(&self, _task: TaskId, _spec: &StoreSpec) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(feature = "rocksdb")]
pub(crate) use disk::DiskStores;

#[cfg(feature = "rocksdb")]
mod disk {
    use tidemill_state::{
        Backend, MemoryBackend, RocksDbBackend, RocksDbOptions, RocksDbShared, StateDirectory, StoreError,
    };

    use super::StoreSupplier;
    use crate::{
        graph::{StoreKind, StoreSpec},
        plan::TaskId,
    };

    /// Persistent stores on `RocksDB`, one folder each; the others in memory.
    pub(crate) struct DiskStores {
        directory: StateDirectory,
        shared: RocksDbShared,
    }

    impl DiskStores {
        pub(crate) fn new(directory: StateDirectory, memory_bytes: usize) -> Self {
            Self { directory, shared: RocksDbShared::new(memory_bytes) }
        }
    }

    impl StoreSupplier for DiskStores {
        fn open(&self, task: TaskId, spec: &StoreSpec) -> Result<Box<dyn Backend>, StoreError> {
            if !spec.persistent {
                return Ok(Box::new(MemoryBackend::default()));
            }
            let path = self.directory.store_dir(&task.to_string(), &spec.name)?;
            // Without a changelog to replay, every write must survive a crash by itself.
            let wal = !spec.logged;
            let options = match spec.kind {
                StoreKind::KeyValue | StoreKind::Session { .. } | StoreKind::Versioned { .. } => {
                    RocksDbOptions::default()
                }
                StoreKind::Window { .. } => RocksDbOptions::windows(),
            };
            let backend = RocksDbBackend::open(&path, &options, &self.shared, wal)?;
            Ok(Box::new(backend))
        }

        fn quarantine(&self, task: TaskId, spec: &StoreSpec) -> Result<(), StoreError> {
            if spec.persistent {
                let kept = self.directory.quarantine(&task.to_string(), &spec.name)?;
                tracing::warn!(%task, store = %spec.name, kept = %kept.display(), "corrupted store set aside");
            }
            Ok(())
        }
    }
}
