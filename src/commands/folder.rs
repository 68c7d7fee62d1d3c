//! Empties the data folder.

use std::{fs, io, path::Path};

use anyhow::{Context as _, Result};

/// The folders of state and log. State is useless without its log, so state is deleted first.
const PARTS: [&str; 2] = ["state", "log"];

/// Deletes log and state. Each folder is first renamed in one step, so that a kill leaves no half of it in use.
pub(super) fn discard(folder: &Path) -> Result<()> {
    for part in PARTS {
        let (path, doomed) = (folder.join(part), folder.join(format!("{part}.discarded")));
        let named = || format!("{} cannot be deleted", path.display());
        remove(&doomed).with_context(named)?;
        match fs::rename(&path, &doomed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.with_context(named)?,
        }
    }
    for part in PARTS {
        let doomed = folder.join(format!("{part}.discarded"));
        remove(&doomed).with_context(|| format!("{} cannot be deleted", doomed.display()))?;
    }
    Ok(())
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

    #[test]
    fn log_and_state_go_and_nothing_else() -> Result<()> {
        let folder = tempfile::tempdir()?;
        for part in ["log", "state/0_0", "log.discarded/half", "mine"] {
            fs::create_dir_all(folder.path().join(part))?;
        }
        discard(folder.path())?;
        discard(folder.path())?;
        let left: Vec<_> = fs::read_dir(folder.path())?.map(|entry| entry.map(|entry| entry.file_name())).collect();
        assert_eq!(left.into_iter().collect::<io::Result<Vec<_>>>()?, ["mine"]);
        Ok(())
    }
}
