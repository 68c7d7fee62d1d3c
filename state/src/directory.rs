//! Folders of state on disk, and the lock that gives them one owner.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::StoreError;

const LOCK_FILE: &str = ".lock";
const PROCESS_FILE: &str = ".process-id";

/// One application's state on this disk: `<root>/<application>/<task>/<store>/`.
///
/// Holds the folder's lock until dropped; a killed process loses it, too.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    /// Unlocks when closed.
    _lock: File,
}

impl StateDirectory {
    /// Creates the application's folder where missing, and locks it.
    pub fn open(root: &Path, application_id: &str) -> Result<Self, StoreError> {
        let path = root.join(checked(application_id)?);
        create_dir(&path)?;
        let lock_path = path.join(LOCK_FILE);
        let options = File::options().create(true).truncate(false).write(true).to_owned();
        let lock = options.open(&lock_path).map_err(|source| StoreError::from_io(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(StoreError::from_io(&lock_path, source)),
        }
    }

    /// The id of the process that holds this folder: the same for each that comes after it, so that it takes over what
    /// the last one left open on the log. `fresh` names the first.
    pub fn process_id(&self, fresh: impl FnOnce() -> String) -> Result<String, StoreError> {
        let path = self.path.join(PROCESS_FILE);
        match fs::read_to_string(&path) {
            Ok(text) if checked(text.trim()).is_ok() => return Ok(text.trim().to_owned()),
            // Damaged: what its last user left open on the log ends by itself, after a while.
            Ok(_) => {}
            Err(source) if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {}
            Err(source) => return Err(StoreError::from_io(&path, source)),
        }
        let id = fresh();
        checked(&id)?;
        let written = self.path.join(format!("{PROCESS_FILE}.new"));
        write_durably(&written, &id).map_err(|source| StoreError::from_io(&written, source))?;
        fs::rename(&written, &path).map_err(|source| StoreError::from_io(&path, source))?;
        Ok(id)
    }

    /// Where a task's stores are. Not created.
    pub fn task_dir(&self, task: &str) -> PathBuf {
        self.path.join(task)
    }

    /// Where a store is to be opened. The folder around it exists afterwards.
    pub fn store_dir(&self, task: &str, store: &str) -> Result<PathBuf, StoreError> {
        let task_dir = self.task_dir(checked(task)?);
        let store_dir = task_dir.join(checked(store)?);
        create_dir(&task_dir)?;
        Ok(store_dir)
    }

    /// Sets a corrupted store aside under a new name, which it returns. Deletes nothing.
    pub fn quarantine(&self, task: &str, store: &str) -> Result<PathBuf, StoreError> {
        let store_dir = self.store_dir(task, store)?;
        let aside = |number: u32| store_dir.with_file_name(format!("{store}.corrupt-{number}"));
        let mut number = 1;
        while fs::symlink_metadata(aside(number)).is_ok() {
            number += 1;
        }
        let aside = aside(number);
        fs::rename(&store_dir, &aside).map_err(|source| StoreError::from_io(&store_dir, source))?;
        tracing::warn!(store, path = %aside.display(), "set a corrupted store aside");
        Ok(aside)
    }

    /// The tasks that have a folder, sorted.
    pub fn tasks(&self) -> Result<Vec<String>, StoreError> {
        let mut tasks = self.read_tasks().map_err(|source| StoreError::from_io(&self.path, source))?;
        tasks.sort_unstable();
        Ok(tasks)
    }

    /// Deletes a task's folder. Only for resetting an application: the runtime never deletes state.
    pub fn remove_task(&self, task: &str) -> Result<(), StoreError> {
        let task_dir = self.task_dir(checked(task)?);
        match fs::remove_dir_all(&task_dir) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StoreError::from_io(&task_dir, source)),
            _ => Ok(()),
        }
    }

    fn read_tasks(&self) -> io::Result<Vec<String>> {
        let mut tasks = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                tasks.extend(entry.file_name().into_string().ok());
            }
        }
        Ok(tasks)
    }
}

/// Takes names that mean one folder on every system, and never another one.
fn checked(name: &str) -> Result<&str, StoreError> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_path = name == "." || name == ".." || name == LOCK_FILE || name.starts_with(PROCESS_FILE);
    if name.is_empty() || name.len() > 200 || is_path || !name.bytes().all(is_safe) {
        return Err(StoreError::Name { name: name.to_owned() });
    }
    Ok(name)
}

fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn create_dir(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|source| StoreError::from_io(path, source))
}
