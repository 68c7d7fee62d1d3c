//! The folders of state on disk, and the lock that gives each folder one owner.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::StoreError;

const LOCK_FILE: &str = ".lock";
const PROCESS_FILE: &str = ".process-id";

/// The state of one application on this disk: `<root>/<application>/<task>/<store>/`.
///
/// It holds the folder's lock until it is dropped. If the process is killed, the lock is released, too.
///
/// ```
/// use std::{env, fs, process};
/// use tidemill_state::{StateDirectory, StoreError};
///
/// let root = env::temp_dir().join(format!("tidemill-doc-{}", process::id()));
/// let directory = StateDirectory::open(&root, "shop")?;
/// assert!(matches!(StateDirectory::open(&root, "shop"), Err(StoreError::Locked { .. })));
///
/// let id = directory.process_id(|| "first".into())?;
/// assert_eq!(directory.process_id(|| "second".into())?, id, "the folder keeps its id");
///
/// let store = directory.store_dir("0_1", "counts")?;
/// assert_eq!(store, root.join("shop/0_1/counts"));
/// assert_eq!((directory.task_dir("0_1"), directory.tasks()?), (root.join("shop/0_1"), vec!["0_1".into()]));
///
/// fs::create_dir(&store).expect("the folder can be written");
/// assert_eq!(directory.quarantine("0_1", "counts")?, root.join("shop/0_1/counts.corrupt-1"));
/// directory.remove_task("0_1")?;
/// assert!(directory.tasks()?.is_empty());
/// # fs::remove_dir_all(&root).expect("the folder can be deleted");
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    /// The lock ends when the file is closed.
    _lock: File,
}

impl StateDirectory {
    /// Creates the application's folder if it is missing, and locks it. See the example of [`StateDirectory`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another instance uses the folder, [`StoreError::Name`] if the id cannot name a folder,
    /// or an error of the disk.
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

    /// The process id of this folder. Later processes that use the folder get the same id: they can then take over the
    /// transactions that the last process left open. `fresh` makes the id if the folder has none. See the example of
    /// [`StateDirectory`].
    pub fn process_id(&self, fresh: impl FnOnce() -> String) -> Result<String, StoreError> {
        let path = self.path.join(PROCESS_FILE);
        match fs::read_to_string(&path) {
            Ok(text) if checked(text.trim()).is_ok() => return Ok(text.trim().to_owned()),
            // The file is damaged. Transactions that its last user left open end after their timeout.
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

    /// The folder of a task's stores. It is not created. See the example of [`StateDirectory`].
    pub fn task_dir(&self, task: &str) -> PathBuf {
        self.path.join(task)
    }

    /// The folder of a store. The task's folder around it is created. See the example of [`StateDirectory`].
    pub fn store_dir(&self, task: &str, store: &str) -> Result<PathBuf, StoreError> {
        let task_dir = self.task_dir(checked(task)?);
        let store_dir = task_dir.join(checked(store)?);
        create_dir(&task_dir)?;
        Ok(store_dir)
    }

    /// Moves a corrupted store to a new folder name and returns the new path. Deletes nothing. See the example of
    /// [`StateDirectory`].
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

    /// The names of all task folders, sorted. See the example of [`StateDirectory`].
    pub fn tasks(&self) -> Result<Vec<String>, StoreError> {
        let mut tasks = self.read_tasks().map_err(|source| StoreError::from_io(&self.path, source))?;
        tasks.sort_unstable();
        Ok(tasks)
    }

    /// Deletes a task's folder, if it exists. This is only for a reset of the application: the runtime never deletes
    /// state. See the example of [`StateDirectory`].
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

/// Accepts a name only if it means the same single folder on every system.
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
