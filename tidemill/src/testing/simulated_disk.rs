//! One machine's disk. Its stores survive their process, but only in their last durable state.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tidemill_state::{Backend, Batch, Direction, MemoryBackend, Row, Rows, StoreError};

use super::faults::{Fate, Process};
use crate::{clock::Clock as _, graph::StoreSpec, plan::TaskId, task::StoreSupplier};

/// The longest time that a background flush takes, in milliseconds.
const FLUSH_MAX_MS: u64 = 500;

/// A store's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct StoreFolder {
    task: TaskId,
    store: String,
}

/// The disk. Clones share its contents. Each clone belongs to one process.
#[derive(Clone)]
pub(crate) struct SimulatedDisk {
    process: Process,
    folders: Arc<Mutex<Folders>>,
}

/// The stored data and the locks.
#[derive(Default)]
struct Folders {
    durable: BTreeMap<StoreFolder, MemoryBackend>,
    open: BTreeSet<StoreFolder>,
    /// Stores that cannot be read.
    torn: BTreeSet<StoreFolder>,
}

impl SimulatedDisk {
    pub(crate) fn new(process: Process) -> Self {
        Self { process, folders: Arc::default() }
    }

    /// The disk after its process ended: all locks are released, and data that was not durable is lost.
    pub(crate) fn reopen(&self, process: Process) -> Self {
        let mut folders = self.lock();
        // Open stores may have been in the middle of a write.
        for folder in std::mem::take(&mut folders.open) {
            let torn = process.fate.strikes(|rates| rates.torn_write);
            if torn && folders.durable.contains_key(&folder) {
                folders.torn.insert(folder);
            }
        }
        drop(folders);
        Self { process, folders: self.folders.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Folders> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreSupplier for SimulatedDisk {
    fn open(&self, task: TaskId, spec: &StoreSpec) -> Result<Box<dyn Backend>, StoreError> {
        if !spec.persistent {
            return Ok(Box::new(MemoryBackend::default()));
        }
        let folder = StoreFolder { task, store: spec.name.to_string() };
        let mut folders = self.lock();
        if !folders.open.insert(folder.clone()) {
            self.process.note(&format!("finds {} of task {task} locked", spec.name));
            return Err(StoreError::Locked { path: PathBuf::from(spec.name.to_string()) });
        }
        if folders.torn.remove(&folder) {
            folders.open.remove(&folder);
            self.process.note(&format!("finds {} of task {task} torn", spec.name));
            return Err(StoreError::Corrupted { store: folder.store, source: "a simulated torn write".into() });
        }
        let rows = folders.durable.get(&folder).cloned().unwrap_or_default();
        self.process.note(&format!("opens {} of task {task} at {:?}", spec.name, rows.checkpoint()?));
        drop(folders);
        let (logged, damaged, flushing) = (spec.logged, false, None);
        Ok(Box::new(SimulatedBackend { disk: self.clone(), folder, rows, logged, flushing, damaged }))
    }

    fn quarantine(&self, task: TaskId, spec: &StoreSpec) -> Result<(), StoreError> {
        self.process.note(&format!("sets {} of task {task} aside", spec.name));
        self.lock().durable.remove(&StoreFolder { task, store: spec.name.to_string() });
        Ok(())
    }
}

/// A store as its process sees it.
struct SimulatedBackend {
    disk: SimulatedDisk,
    folder: StoreFolder,
    rows: MemoryBackend,
    /// Whether every write is durable immediately. This is the case without a changelog.
    logged: bool,
    /// The state that a background flush makes durable, and the time when the flush is complete.
    flushing: Option<(MemoryBackend, i64)>,
    damaged: bool,
}

impl SimulatedBackend {
    fn fate(&self) -> &Fate {
        &self.disk.process.fate
    }

    fn make_durable(&mut self) {
        self.flushing = None;
        self.disk.lock().durable.insert(self.folder.clone(), self.rows.clone());
    }

    /// Completes a background flush when its time has come. It makes the state of its beginning durable.
    fn attend_flush(&mut self) {
        let now_ms = self.fate().clock.monotonic_ms();
        if let Some((rows, _)) = self.flushing.take_if(|(_, done_ms)| *done_ms <= now_ms) {
            self.disk.lock().durable.insert(self.folder.clone(), rows);
        }
    }
}

impl Drop for SimulatedBackend {
    fn drop(&mut self) {
        self.attend_flush();
        // RocksDB flushes its memory when it is closed. A dead process does not close its stores.
        if !self.disk.process.is_dead() {
            if !self.damaged {
                self.make_durable();
            }
            self.disk.lock().open.remove(&self.folder);
        }
    }
}

impl Backend for SimulatedBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.rows.get(key)
    }

    fn scan(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Result<Rows<'_>, StoreError> {
        self.rows.scan(from, to, direction)
    }

    fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
        if self.logged && self.fate().strikes(|rates| rates.corruption) {
            self.damaged = true;
            let StoreFolder { task, store } = &self.folder;
            self.disk.process.note(&format!("finds {store} of task {task} damaged"));
            return Err(StoreError::Corrupted { store: store.clone(), source: "a simulated fault".into() });
        }
        if self.fate().strikes(|rates| rates.full_disk) {
            self.disk.process.note("finds the disk full");
            let (path, source) = (PathBuf::from(&self.folder.store), std::io::Error::other("a simulated fault"));
            return Err(StoreError::DiskFull { path, source });
        }
        if self.fate().strikes(|rates| rates.slow_disk) {
            let millis = 1 + self.fate().below(50);
            self.fate().clock.advance(std::time::Duration::from_millis(millis));
        }
        self.attend_flush();
        self.rows.write(batch)?;
        if !self.logged || self.fate().strikes(|rates| rates.store_flush) {
            self.make_durable();
        }
        Ok(())
    }

    fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.rows.meta(key)
    }

    fn checkpoint(&self) -> Result<Option<i64>, StoreError> {
        self.rows.checkpoint()
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.make_durable();
        Ok(())
    }

    fn begin_flush(&mut self) -> Result<(), StoreError> {
        self.attend_flush();
        // Flushes run one after the other, so this flush also completes the previous one.
        let done_ms = self.fate().clock.monotonic_ms() + self.fate().below(FLUSH_MAX_MS) as i64;
        self.flushing = Some((self.rows.clone(), done_ms));
        Ok(())
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.rows.clear()?;
        self.make_durable();
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.rows.size_bytes()
    }
}
