//! The folder of log and state. A mark in it tells that its contents are Tidemill's own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// The parts of the folder. State is useless without its log, so state is deleted first.
const PARTS: [&str; 2] = [STATE, LOG];
const STATE: &str = "state";
const LOG: &str = "log";
/// The name of the mark.
const MARK: &str = "tidemill-data";
const TEXT: &str =
    "The folders log and state belong to Tidemill. `tidemill reset` deletes them only beside this file.\n";

/// Why a folder cannot hold log and state, or cannot be emptied.
#[derive(Debug, Error)]
pub enum DataFolderError {
    /// The path is a file.
    #[error("{} is a file: name a folder", .0.display())]
    File(PathBuf),
    /// The folder has a part that something else made.
    #[error(
        "{} was not made by Tidemill, which would keep its data there: choose another --data-dir, or move it away",
        .0.display()
    )]
    Foreign(PathBuf),
    /// A part is a link. Deleting through it would delete what other programs may use; deleting the link would leave the
    /// data.
    #[error(
        "nothing was deleted: {} is a link: delete the folder that it points to and the link by hand, or put the folder \
         itself in the link's place",
        .0.display()
    )]
    Link(PathBuf),
    /// There is state, but not the log that it was made from.
    #[error(
        "{} holds state, but no log that the state was made from: bring back the folder '{LOG}', add --brokers if the \
         log is on Kafka, or delete the state with `tidemill reset --data-dir {} --yes`",
        .0.display(),
        .0.display()
    )]
    Logless(PathBuf),
    /// The folder is empty, or there is none.
    #[error("nothing was deleted: {} holds nothing; check --data-dir", .0.display())]
    Empty(PathBuf),
    /// The folder has no mark.
    #[error(
        "nothing was deleted: {} is no data folder of Tidemill, because it has no file '{MARK}'; check --data-dir",
        .0.display()
    )]
    Unmarked(PathBuf),
    /// The folder cannot be written to.
    #[error("{} cannot be written to", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// The folder of a server's log and state.
#[derive(Debug, Clone, Copy)]
pub struct DataFolder<'a> {
    path: &'a Path,
}

impl<'a> DataFolder<'a> {
    /// Names a folder, whether it is there or not.
    pub fn new(path: &'a Path) -> Self {
        Self { path }
    }

    /// Makes the folder if there is none, and marks it. Does nothing if it is marked.
    ///
    /// # Errors
    /// If the path is a file, the folder cannot be written to, or holds a `log` or a `state` that Tidemill did not make.
    pub fn claim(self) -> Result<(), DataFolderError> {
        self.check_kind()?;
        if self.is_marked() {
            return Ok(());
        }
        if let Some(part) = PARTS.map(|part| self.path.join(part)).into_iter().find(|part| !is_own(part)) {
            return Err(DataFolderError::Foreign(part));
        }
        let written = fs::create_dir_all(self.path).and_then(|()| fs::write(self.path.join(MARK), TEXT));
        written.map_err(|error| DataFolderError::Io(self.path.to_owned(), error))
    }

    /// Checks that state has its log beside it. The state of another log would be mixed with the new one.
    ///
    /// # Errors
    /// If there is state without a log.
    pub fn check_log(self) -> Result<(), DataFolderError> {
        let has_state = fs::read_dir(self.path.join(STATE)).is_ok_and(|mut inside| inside.next().is_some());
        let has_log = self.log().join(DATABASE).is_file();
        if has_state && !has_log { Err(DataFolderError::Logless(self.path.to_owned())) } else { Ok(()) }
    }

    /// The folder of the embedded log.
    pub fn log(self) -> PathBuf {
        self.path.join(LOG)
    }

    /// The folder of state.
    pub fn state(self) -> PathBuf {
        self.path.join(STATE)
    }

    /// Deletes log and state of a marked folder. Each is first renamed in one step, so that a kill leaves no half of it
    /// in use. Everything else in the folder stays.
    ///
    /// # Errors
    /// If the folder is not marked, a part is a link, or something cannot be deleted.
    pub fn discard(self) -> Result<(), DataFolderError> {
        self.check()?;
        let failed = |path: PathBuf| move |error| DataFolderError::Io(path, error);
        let doomed = |part: &str| self.doomed(part);
        for part in PARTS {
            let path = self.path.join(part);
            remove(&doomed(part)).map_err(failed(doomed(part)))?;
            match fs::rename(&path, doomed(part)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed.map_err(failed(path))?,
            }
        }
        PARTS.iter().try_for_each(|part| remove(&doomed(part)).map_err(failed(doomed(part))))
    }

    /// Checks that the folder's log and state may be deleted: the folder is marked, and both are in it.
    ///
    /// # Errors
    /// If the path is a file, the folder is empty or not marked, or a part is a link.
    pub fn check(self) -> Result<(), DataFolderError> {
        self.check_kind()?;
        if !self.is_marked() {
            if fs::read_dir(self.path).map_or(!self.path.exists(), |mut inside| inside.next().is_none()) {
                return Err(DataFolderError::Empty(self.path.to_owned()));
            }
            return Err(DataFolderError::Unmarked(self.path.to_owned()));
        }
        let links = PARTS.map(|part| self.path.join(part)).into_iter();
        let mut links = links.filter(|part| fs::symlink_metadata(part).is_ok_and(|found| found.is_symlink()));
        links.next().map_or(Ok(()), |link| Err(DataFolderError::Link(link)))
    }

    /// Whether there is a log or state, or what a killed deletion has left of them.
    pub fn holds_data(self) -> bool {
        PARTS.iter().any(|part| self.path.join(part).exists() || self.doomed(part).exists())
    }

    fn doomed(self, part: &str) -> PathBuf {
        self.path.join(format!("{part}.discarded"))
    }

    fn check_kind(self) -> Result<(), DataFolderError> {
        if self.path.is_file() { Err(DataFolderError::File(self.path.to_owned())) } else { Ok(()) }
    }

    fn is_marked(self) -> bool {
        self.path.join(MARK).is_file()
    }
}

/// A file of every database.
const DATABASE: &str = "CURRENT";

/// Whether a part is missing, empty, or made by a version that set no mark: a log with Tidemill's own lock beside the
/// database, or state with its locks. Other programs have databases of `RocksDB`, too.
fn is_own(part: &Path) -> bool {
    let Ok(mut inside) = fs::read_dir(part) else { return !part.exists() };
    let has = |file: &str| part.join(file).is_file();
    let is_state = |folder: &Path| folder.join(".lock").is_file();
    (has("tidemill.lock") && has(DATABASE)) || inside.all(|entry| entry.is_ok_and(|entry| is_state(&entry.path())))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(inside: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for file in inside {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().expect("it is in the folder")).expect("and one in it");
            fs::write(file, "").expect("and a file");
        }
        folder
    }

    fn left(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("is read").file_name());
        let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn log_and_state_go_and_nothing_else() {
        let inside = ["log/CURRENT", "log/tidemill.lock", "state/app/.lock", "log.discarded/half", "mine"];
        let folder = folder(&inside);
        DataFolder::new(folder.path()).claim().expect("an older version made it");
        DataFolder::new(folder.path()).discard().expect("it is marked");
        assert_eq!(left(folder.path()), ["mine", MARK]);
    }

    #[test]
    fn a_folder_of_something_else_is_neither_used_nor_emptied() {
        // The database of another program is not ours.
        for foreign in ["log/syslog", "log/CURRENT", "state/mine"] {
            let folder = folder(&[foreign]);
            assert!(matches!(DataFolder::new(folder.path()).claim(), Err(DataFolderError::Foreign(_))), "{foreign}");
            assert!(matches!(DataFolder::new(folder.path()).discard(), Err(DataFolderError::Unmarked(_))), "{foreign}");
            assert!(folder.path().join(foreign).exists());
        }
    }

    #[test]
    fn a_file_and_an_empty_folder_are_told() {
        let folder = folder(&["file"]);
        let file = folder.path().join("file");
        for refused in [DataFolder::new(&file).claim(), DataFolder::new(&file).check()] {
            assert!(refused.expect_err("a file").to_string().ends_with("is a file: name a folder"));
        }
        let (missing, empty) = (folder.path().join("missing"), tempfile::tempdir().expect("a folder can be made"));
        for path in [&*missing, empty.path()] {
            assert!(matches!(DataFolder::new(path).discard(), Err(DataFolderError::Empty(_))), "{path:?}");
        }
        DataFolder::new(&missing).claim().expect("nothing is there");
        assert!(!DataFolder::new(&missing).holds_data());
    }

    #[test]
    fn a_folder_is_made_and_marked_once() {
        let folder = folder(&[]);
        let new = folder.path().join("new");
        DataFolder::new(&new).claim().expect("nothing is there");
        DataFolder::new(&new).claim().expect("it is marked");
        DataFolder::new(&new).check().expect("it is marked");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_neither_followed_nor_deleted() {
        let (folder, elsewhere) = (folder(&[MARK]), folder(&["log/CURRENT"]));
        let (link, target) = (folder.path().join("log"), elsewhere.path().join("log"));
        std::os::unix::fs::symlink(&target, &link).expect("a link can be made");
        for refused in [DataFolder::new(folder.path()).check(), DataFolder::new(folder.path()).discard()] {
            let told = refused.expect_err("a link").to_string();
            assert!(told.contains("is a link") && told.contains("by hand"), "{told}");
        }
        assert!(link.is_symlink() && target.join("CURRENT").exists());
    }

    #[test]
    fn state_without_its_log_is_told_with_what_to_do() {
        for (inside, is_whole) in [
            (&[][..], true),
            (&["state/app/.lock", "log/CURRENT"], true),
            (&["log/CURRENT"], true),
            (&["state/app/.lock"], false),
            (&["state/app/.lock", "log/000004.log"], false),
        ] {
            let folder = folder(inside);
            let checked = DataFolder::new(folder.path()).check_log();
            assert_eq!(checked.is_ok(), is_whole, "{inside:?}");
            if let Err(error) = checked {
                assert!(error.to_string().contains("tidemill reset --data-dir"), "{error}");
            }
        }
    }
}
