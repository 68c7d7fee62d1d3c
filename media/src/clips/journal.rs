//! The journal of clips on disk: a line for each lasting change, the last one of a clip counts.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clips::{Clip, ClipId};

const JOURNAL: &str = "journal.jsonl";
const LOCK: &str = "lock";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Clip(Box<Clip>),
    Removed(ClipId),
}

/// The journal, open for writing. While it lives, no other process opens it.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Removals that found a full disk: they are noted before anything else.
    owed: Vec<ClipId>,
    _lock: File,
}

impl Journal {
    /// Reads what happened, and writes it anew in as few lines as it takes.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, BTreeMap<ClipId, Clip>)> {
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
        lock.try_lock()?;
        let path = folder.join(JOURNAL);
        let clips = match File::open(&path) {
            Ok(file) => replay(BufReader::new(file))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let new = folder.join("journal.new");
        let mut file = private(&new)?;
        for clip in clips.values() {
            write(&mut file, &Entry::Clip(Box::new(clip.clone())))?;
        }
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()?;
        Ok((Self { file, owed: Vec::new(), _lock: lock }, clips))
    }

    /// Notes the clip as it is now. When this returns, a killed process knows it.
    pub(super) fn note(&mut self, clip: &Clip) -> io::Result<()> {
        self.append(&Entry::Clip(Box::new(clip.clone())))
    }

    /// Notes a removal. On a full disk, where removals must help, it is noted as soon as there is space.
    pub(super) fn note_removed(&mut self, id: &ClipId) -> io::Result<()> {
        match self.append(&Entry::Removed(id.clone())) {
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                tracing::warn!(clip = %id, %error, "the removal of a clip is not in the journal yet: a restart before there is space forgets it");
                self.owed.push(id.clone());
                Ok(())
            }
            noted => noted,
        }
    }

    /// Writes elsewhere from now on.
    #[cfg(test)]
    pub(super) fn spoil(&mut self, file: File) {
        self.file = file;
    }

    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        while let Some(id) = self.owed.last() {
            write(&mut self.file, &Entry::Removed(id.clone()))?;
            self.owed.pop();
        }
        write(&mut self.file, entry)?;
        self.file.sync_data()
    }
}

/// Footage may have secret addresses: only this user reads the journal.
fn private(path: &PathBuf) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)
}

fn write(file: &mut File, entry: &Entry) -> io::Result<()> {
    // The line break before it ends what a full disk may have torn.
    let mut line = vec![b'\n'];
    serde_json::to_writer(&mut line, entry)?;
    line.push(b'\n');
    file.write_all(&line)
}

fn replay(lines: impl BufRead) -> io::Result<BTreeMap<ClipId, Clip>> {
    let mut clips = BTreeMap::new();
    for line in lines.split(b'\n') {
        let line = line?;
        match serde_json::from_slice(&line) {
            Ok(Entry::Clip(clip)) => {
                clips.insert(clip.id.clone(), *clip);
            }
            Ok(Entry::Removed(id)) => {
                clips.remove(&id);
            }
            Err(_) if line.is_empty() => {}
            // The process was killed while it wrote this line: what it was to tell was never promised.
            Err(error) => tracing::warn!(%error, "a line of the journal of clips cannot be read and is left out"),
        }
    }
    Ok(clips)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};

    use tempfile::TempDir;

    use super::Journal;
    use crate::clips::retention::tests::clips;

    #[test]
    fn a_removal_on_a_full_disk_holds_and_is_noted_when_there_is_space() {
        let folder = TempDir::new().expect("a folder");
        let (mut journal, _) = Journal::open(folder.path()).expect("a journal");
        let clips = clips(&[("a", 1, 1), ("b", 1, 1)]);
        journal.note(&clips[0]).expect("space");
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
        let file = std::mem::replace(&mut journal.file, full);
        journal.note_removed(&clips[0].id).expect("a removal");
        journal.note(&clips[1]).expect_err("no space");
        journal.file = file;
        journal.note(&clips[1]).expect("space");
        drop(journal);
        let (_, known) = Journal::open(folder.path()).expect("a journal");
        assert_eq!(known.into_keys().collect::<Vec<_>>(), [clips[1].id.clone()]);
    }

    #[test]
    fn a_removal_that_cannot_be_noted_says_so() {
        let folder = TempDir::new().expect("a folder");
        let (mut journal, _) = Journal::open(folder.path()).expect("a journal");
        journal.file = File::open("/dev/null").expect("a file that is only read");
        assert!(journal.note_removed(&clips(&[("a", 1, 1)])[0].id).is_err());
    }
}
